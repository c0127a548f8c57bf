import type { RawHeaders } from "../../core/call.ts"
import { findRaw } from "../../core/raw-headers.ts"
import type { Countable, Reading } from "../../core/usage.ts"
import { readMember } from "../../kit/json/members.ts"
import { QuotedName } from "../../kit/json/quoted-name.ts"
import type { RepeatedEvent } from "../../kit/repeated-events.ts"
import { DeliveryCollector } from "../_delivery.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { tokensPerCall } from "../_estimate.ts"
import type { Collector, Evidence } from "../_evidence.ts"
import type { Pieces } from "../_pieces.ts"
import { reportsCost } from "../_reported-cost.ts"
import { isFreeOperation } from "../_routes.ts"
import { bytesOf, type JsonObject, listOf, modelNameOf, objectOf, removeMembers, textOf } from "../_values.ts"
import { RESERVED_MEMBERS } from "./added-members.ts"
import { createCountable, estimateRequest, estimateTokens } from "./estimate.ts"
import { countAnswer, GeneratedCounter } from "./generated.ts"
import { estimateSpeech, readPieces } from "./pieces.ts"
import { toReading } from "./reading.ts"
import { type Kind, OPERATIONS } from "./routes.ts"
import { findImageTool, findServerTools, PREVIEW_SEARCH, type ServerTools } from "./server-tools.ts"
import { DOCUMENT_SHAPE } from "./shapes.ts"
import { RealtimeCollector } from "./sockets/collector.ts"
import { TranslationCollector } from "./sockets/translation.ts"
import { countsUsage, reportsUsage } from "./usage.ts"

/** Returns the collector for an answer in OpenAI's dialect, of any provider. */
export function createCollector(request: ProviderRequest, headers?: RawHeaders): Collector {
  const { kind } = OPERATIONS.find(request.method, request.path)
  if (kind === "batch_output") return new DeliveryCollector(request)
  if (kind === "translation") return new TranslationCollector(request)
  return kind === "realtime" ? new RealtimeCollector(request) : new AnswerCollector(request, kind, headers)
}

/** Streams that never name a model (speech, pictures) are not parsed for it beyond this many events. */
const MAX_EVENTS_WITHOUT_MODEL = 8

const USAGE = new QuotedName("usage")

/** Collects the usage of one answer: whole or streamed, of chat, Responses and the rest. */
class AnswerCollector implements Collector {
  readonly shape = DOCUMENT_SHAPE
  private readonly request: ProviderRequest
  private readonly kind: Kind | undefined
  private readonly headers: RawHeaders | undefined
  /** Counts what a stream generates, in case it ends without its usage; undefined: no stream, or not billed by text. */
  private counter: GeneratedCounter | undefined
  private model: string | undefined
  private tier: string | undefined
  private usage: JsonObject | undefined
  private output: unknown
  private tools: unknown
  private imageTool: JsonObject | undefined
  private images = 0
  /** A whole answer without usage, and the order of a film or of pages, which states what was made. */
  private silent: JsonObject | undefined
  /** The usage came in the middle of a stream: more may have followed it. */
  private isProvisional = false
  private events = 0

  constructor(request: ProviderRequest, kind: Kind | undefined, headers?: RawHeaders) {
    this.request = request
    this.kind = kind
    this.headers = headers
  }

  wants(data: Buffer): boolean {
    if (++this.events === 1) this.counter = GeneratedCounter.of(this.kind)
    this.counter?.addEvent(data)
    if (this.model === undefined && this.events <= MAX_EVENTS_WITHOUT_MODEL) return true
    const at = USAGE.indexOf(data)
    return at >= 0 && !isNullAt(data, at + USAGE.length)
  }

  get textAt(): number {
    return this.counter?.onlyTextAt ?? -1
  }

  addRepeated(event: RepeatedEvent): boolean {
    this.events++
    return this.counter!.addRepeated(event)
  }

  add(document: JsonObject): void {
    const answer = objectOf(document["response"]) ?? document
    this.model = modelNameOf(answer["model"]) ?? this.model
    this.tier = textOf(answer["service_tier"])?.toLowerCase() ?? this.tier
    const usage = objectOf(answer["usage"]) ?? objectOf(objectOf(answer["x_groq"])?.["usage"])
    if (usage) {
      this.usage = usage
      this.isProvisional = document["choices"] !== undefined && isUnfinished(answer)
    }
    if (!usage && this.events === 0) this.silent = answer
    if (Array.isArray(answer["output"])) {
      this.output = answer["output"]
      this.tools = answer["tools"]
    }
    this.imageTool = findImageTool(answer) ?? this.imageTool
    if (this.kind === "images") this.images = Math.max(this.images, listOf(answer["data"]).length)
  }

  get generatedTokens(): number | undefined {
    return this.counter?.tokens(tokensPerCall(this.model))
  }

  evidence(isComplete: boolean): Evidence {
    const { method, path } = this.request
    const isReported = this.usage !== undefined && reportsUsage(this.usage)
    const pieces = isReported ? undefined : this.readPieces()
    const counted = isReported || pieces ? undefined : this.countTokens(isComplete)
    const row = OPERATIONS.find(method, path)
    // Usage that a POST shows again is not kept: a row's tokens are those of its own work.
    const isRepeated = row.operation === "stored" && method === "POST"
    return {
      method,
      path,
      // Azure names the model in a header too, also where the body does not.
      model: this.model ?? (this.headers && textOf(findRaw(this.headers, "x-ms-served-model"))),
      usage: isRepeated ? undefined : this.usageWithAdded(isReported, { pieces, counted }),
      source: counted || (this.isProvisional && !isComplete) ? "estimated" : "reported",
      isFree: isFreeOperation(
        row,
        pieces !== undefined || this.isGenerated || (isReported && countsUsage(this.usage!)),
      ),
    }
  }

  countable(estimated: Evidence): Countable | undefined {
    const { request, counter } = this
    // A running count that the provider reported is nearer to the truth than the text.
    if (!counter || estimated.usage?.["estimated_from_text"] === undefined) return undefined
    return createCountable({ request, counter, estimated })
  }

  /** The answer to a POST is a stream, or has outputs, as a run that Mistral starts by `POST /v1/conversations`. */
  private get isGenerated(): boolean {
    return this.request.method === "POST" && (this.events > 0 || listOf(this.silent?.["outputs"]).length > 0)
  }

  private readPieces(): Pieces | undefined {
    const { request, kind, silent: answer, images } = this
    return answer?.["error"] ? undefined : readPieces({ request, kind, answer, images })
  }

  /**
   * Returns the estimated tokens of an answer that reports none. A stream that ended by itself and generated nothing, such
   * as an error, is not billed.
   */
  private countTokens(isComplete: boolean): JsonObject | undefined {
    const { request, kind, silent } = this
    if (silent) {
      if (kind === "embeddings") return listOf(silent["data"]).length > 0 ? estimateRequest(request) : undefined
      this.counter ??= countAnswer(kind, silent)
      if (!this.counter?.hasOutput) return undefined
    }
    if (kind === "speech") return silent?.["error"] ? undefined : estimateSpeech(request)
    if (!this.counter || (isComplete && !this.counter.hasOutput)) return undefined
    return estimateTokens(request, this.counter, this.model)
  }

  /** The provider's usage object, parsed for this answer alone, or an estimate, with what is billed and stated beside it. */
  private usageWithAdded(isReported: boolean, { pieces, counted }: Unreported): JsonObject {
    const isKept = this.usage !== undefined && (isReported || reportsCost(this.usage))
    const usage: Record<string, unknown> = isKept ? this.usage! : {}
    removeMembers(usage, RESERVED_MEMBERS)
    if (counted) usage["estimated_from_text"] = counted
    if (this.tier) usage["service_tier"] = this.tier
    const tools = findServerTools(this.output, this.tools)
    if (tools && Object.keys(tools.calls).length > 0) usage["server_tool_calls"] = tools.calls
    const beside = this.billedBeside(tools, isReported ? this.imageTool : undefined, pieces)
    if (beside) usage["billed_beside"] = beside
    return usage
  }

  private billedBeside(
    tools: ServerTools | undefined,
    imageTool: JsonObject | undefined,
    pieces: Pieces | undefined,
  ): JsonObject | undefined {
    const region = REGIONS.get(this.request.host)
    const containers = tools?.containers
    const isPreviewSearch = tools?.isPreviewSearch === true
    const doubts = [...(tools?.missing ?? []), ...(isWarmUp(this.request, this.kind) ? UNKNOWN_WARM_UP : [])]
    const missing = doubts.length > 0 ? doubts : undefined
    if (!region && !containers && !imageTool && !pieces && !isPreviewSearch && !missing) return undefined
    return {
      ...pieces,
      ...(region ? { region } : {}),
      ...(containers ? { code_containers: containers } : {}),
      ...(isPreviewSearch ? { web_search_tool: PREVIEW_SEARCH } : {}),
      ...(imageTool ? { image_generation: imageTool } : {}),
      ...(missing ? { missing } : {}),
    }
  }
}

/** The basis of the bill of an answer without usage: pieces, or tokens that the gateway counted. */
interface Unreported {
  readonly pieces: Pieces | undefined
  readonly counted: JsonObject | undefined
}

/**
 * Returns the reading of an answer that another one contains, such as a line of a batch's results.
 * @param request the request that the answer is read for
 */
export function readAnswer(request: ProviderRequest, answer: JsonObject): Reading {
  const collector = new AnswerCollector(request, OPERATIONS.find(request.method, request.path).kind)
  collector.add(answer)
  return toReading(collector.evidence(true))
}

const UNKNOWN_WARM_UP = ["whether a warm-up is billed is not known"]
const GENERATE = new QuotedName("generate")

/**
 * Returns true for a request that only prepares a session (`generate: false`, which Codex sends). Its answer reports the
 * tokens of its input, and OpenAI's pages do not say whether they are billed.
 */
function isWarmUp({ method, body }: ProviderRequest, kind: Kind | undefined): boolean {
  if (method !== "GET" || kind !== "responses") return false
  const bytes = bytesOf(body)
  return GENERATE.isIn(bytes) && readMember(bytes, "generate") === false
}

/** OpenAI's regional hosts. */
const REGIONS: ReadonlyMap<string, string> = new Map([
  ["eu.api.openai.com", "eu"],
  ["us.api.openai.com", "us"],
])

/** Some choice of this chunk goes on, so its usage is a running count (Perplexity). */
function isUnfinished(chunk: JsonObject): boolean {
  return listOf(chunk["choices"]).some((choice) => objectOf(choice)?.["finish_reason"] == null)
}

/** Returns true if the value behind a key is `null`, which every chunk of OpenAI's contains until the last. */
function isNullAt(data: Buffer, start: number): boolean {
  let at = start
  while (at < data.length && (data[at]! <= 32 || data[at] === 58)) at++
  return data[at] === 110
}
