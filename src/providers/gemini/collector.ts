import type { Shape } from "../../kit/json/prune.ts"
import { BatchSums } from "../_batch.ts"
import type { ProviderRequest } from "../_dialect.ts"
import type { Collector, Evidence } from "../_evidence.ts"
import { isFreeOperation } from "../_routes.ts"
import { type JsonObject, listOf, modelNameOf, objectOf, removeMembers, textOf } from "../_values.ts"
import { Grounding } from "./grounding.ts"
import { fromInteraction } from "./interactions.ts"
import { RESERVED_MEMBERS, toReading } from "./reading.ts"
import { OPERATIONS } from "./routes.ts"
import { countsTokens, reportsTokens, tierOf } from "./usage.ts"

/** Returns the collector for an answer of Gemini's, whole or streamed, or for the result file of a batch. */
export function createCollector(request: ProviderRequest): Collector {
  const { kind } = OPERATIONS.find(request.method, request.path)
  return kind === "file" ? new FileCollector(request) : new AnswerCollector(request)
}

const FINISH = Buffer.from('"finishReason"')
const GROUNDING = Buffer.from('"groundingMetadata"')
const PROMPT = Buffer.from('"promptTokenCount"')
const INTERACTION = Buffer.from('"interaction"')

/** Collects one answer. Each chunk repeats the counts so far, so the last with a prompt count is the answer's. */
class AnswerCollector implements Collector {
  readonly shape = SHAPE
  private readonly request: ProviderRequest
  private model: string | undefined
  private usage: JsonObject | undefined
  private tier: string | undefined
  private isFinished = false
  private images = 0
  private grounding: Grounding | undefined
  /** The newest chunk with counts. It is parsed only if the stream is cut off, because a newer chunk replaces it. */
  private unparsed: Buffer | undefined

  constructor(request: ProviderRequest) {
    this.request = request
  }

  wants(data: Buffer): boolean {
    if (this.model === undefined || data.includes(FINISH) || data.includes(GROUNDING) || data.includes(INTERACTION))
      return true
    if (data.includes(PROMPT)) this.unparsed = Buffer.from(data)
    return false
  }

  add(document: JsonObject): void {
    const answer = unwrap(document)
    const earlier = this.unparsed
    this.unparsed = undefined
    if (earlier && objectOf(answer["usageMetadata"])?.["promptTokenCount"] === undefined) this.add(parsed(earlier))
    this.model = modelOf(answer) ?? this.model
    this.addUsage(objectOf(answer["usageMetadata"]) ?? fromInteraction(answer))
    for (const element of listOf(answer["candidates"])) this.addCandidate(objectOf(element))
    this.images = Math.max(this.images, listOf(answer["predictions"]).length)
  }

  evidence(isComplete: boolean): Evidence {
    if (this.unparsed) this.add(parsed(this.unparsed))
    const { method, path } = this.request
    const isFree = isFreeOperation(OPERATIONS.find(method, path), this.hasUsage())
    return {
      method,
      path,
      model: this.model,
      usage: this.usageWithAdded(isFree),
      source: isComplete || this.isFinished ? "reported" : "estimated",
      isFree,
    }
  }

  private hasUsage(): boolean {
    return this.images > 0 || (this.usage !== undefined && countsTokens(this.usage))
  }

  private addUsage(usage: JsonObject | undefined): void {
    if (!usage) return
    this.tier = tierOf(usage) ?? this.tier
    if (usage["promptTokenCount"] !== undefined || (this.usage === undefined && reportsTokens(usage))) {
      this.usage = usage
    }
  }

  private addCandidate(candidate: JsonObject | undefined): void {
    if (!candidate) return
    if (textOf(candidate["finishReason"])) this.isFinished = true
    const metadata = objectOf(candidate["groundingMetadata"])
    if (!metadata) return
    this.grounding ??= new Grounding()
    this.grounding.add(metadata)
  }

  /** The usage object, which was parsed for this answer alone, with what is billed and stated beside it. */
  private usageWithAdded(isFree: boolean): JsonObject | undefined {
    if (isFree || !this.usage || !reportsTokens(this.usage)) {
      return this.images > 0 ? { billed_beside: { images: this.images } } : undefined
    }
    const usage: Record<string, unknown> = this.usage
    removeMembers(usage, RESERVED_MEMBERS)
    if (this.tier !== undefined && tierOf(usage) !== this.tier) usage["serviceTier"] = this.tier
    const queries = this.grounding?.toUsage()
    if (queries) usage["grounding"] = queries
    return usage
  }
}

/** Collects the answers in the result file of a batch, one per line. */
class FileCollector implements Collector {
  readonly shape = SHAPE
  private readonly request: ProviderRequest
  private readonly sums = new BatchSums()

  constructor(request: ProviderRequest) {
    this.request = request
  }

  wants(): boolean {
    return true
  }

  add(document: JsonObject): void {
    const answer = unwrap(document)
    const { method, path } = this.request
    const usage = objectOf(answer["usageMetadata"])
    const model = modelNameOf(answer["modelVersion"])
    this.sums.add(toReading({ method, path, model, usage, source: "reported", isFree: false }))
  }

  evidence(): Evidence {
    const { method, path } = this.request
    const usage = this.sums.toUsage()
    return { method, path, model: undefined, usage, source: "reported", isFree: usage === undefined }
  }
}

const ANSWER_SHAPE = {
  modelVersion: true,
  model: true,
  usageMetadata: true,
  usage: true,
  candidates: [
    { finishReason: true, groundingMetadata: { webSearchQueries: true, groundingChunks: [{ web: { domain: true } }] } },
  ],
  predictions: [{ mimeType: true }],
} satisfies Shape

const SHAPE: Shape = { ...ANSWER_SHAPE, response: ANSWER_SHAPE, interaction: ANSWER_SHAPE }

/** Batch results, the events of the Interactions API and some proxies wrap the answer. */
function unwrap(document: JsonObject): JsonObject {
  return objectOf(document["response"]) ?? objectOf(document["interaction"]) ?? document
}

function modelOf(answer: JsonObject): string | undefined {
  return modelNameOf(answer["modelVersion"]) ?? modelNameOf(answer["model"])
}

function parsed(data: Buffer): JsonObject {
  try {
    return objectOf(JSON.parse(data.toString("utf8"))) ?? {}
  } catch {
    return {}
  }
}
