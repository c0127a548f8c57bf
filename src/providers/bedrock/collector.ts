import type { RawHeaders } from "../../core/call.ts"
import { findMembers, MemberNames } from "../../kit/json/members.ts"
import { QuotedName } from "../../kit/json/quoted-name.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { readErrorMessage } from "../_error-message.ts"
import { estimateInput, estimateOutput, startOf, tokensPerCall } from "../_estimate.ts"
import type { AwsEvent, Collector, Evidence } from "../_evidence.ts"
import { isFreeOperation } from "../_routes.ts"
import { bytesOf, firstCount, type JsonObject, objectOf, removeMembers, textOf } from "../_values.ts"
import { MessageCollector } from "../anthropic/collector.ts"
import { countsOf, decodeChunk, isMessage, METRICS, parseObject, SHAPE } from "./documents.ts"
import { GeneratedCounter } from "./generated.ts"
import { readHeaders } from "./headers.ts"
import { RESERVED_MEMBERS } from "./reading.ts"
import { modelIn, OPERATIONS } from "./routes.ts"
import { INPUTS, OUTPUTS, readMetrics, reportsTokens } from "./usage.ts"

const MESSAGE_START = new QuotedName("message_start")
/** The members that only this dialect adds to a usage object. */
const OWN_MEMBERS = ["invocation_metrics", "bedrock_service_tier", "bedrock_latency"]
/** The names of counts contain one of these. */
const COUNTS = ['"usage"', '_token_count"', 'TokenCount"'].map((name) => Buffer.from(name))
const TOKEN_COUNT = COUNTS[2]!

/** Collects the usage of one answer of Bedrock's, whole or streamed, of any family of models. */
export class AnswerCollector implements Collector {
  readonly shape = SHAPE
  error: string | undefined
  private readonly request: ProviderRequest
  /** The usage object of the answer, or its counts by the names of the model. */
  private usage: JsonObject | undefined
  /** Bedrock's own counts, of the headers or of the last chunk of a stream. */
  private metrics: JsonObject | undefined
  private tier: string | undefined
  private latency: string | undefined
  private hasGuardrail = false
  /** Reads the answers of Claude's Messages; undefined: another model answers. */
  private message: MessageCollector | undefined
  /** Counts what a stream generates, in case it ends without its usage; undefined: nothing of a stream has come. */
  private counter: GeneratedCounter | undefined
  /** The stream has stated its usage. */
  private isFinal = false
  /** A message of the stream was damaged, so that what followed is not known. */
  private isDamaged = false
  /** The bytes ended inside of a message. */
  private isUnfinished = false

  constructor(request: ProviderRequest, headers: RawHeaders | undefined) {
    this.request = request
    if (!headers) return
    const { metrics, tier, latency } = readHeaders(headers)
    this.metrics = metrics
    this.tier = tier
    this.latency = latency
  }

  wants(): boolean {
    return true
  }

  /** Takes a whole answer, or what one chunk of a stream states. */
  add(document: JsonObject): void {
    this.metrics = objectOf(document[METRICS]) ?? this.metrics
    this.tier = textOf(objectOf(document["serviceTier"])?.["type"]) ?? this.tier
    this.latency = textOf(objectOf(document["performanceConfig"])?.["latency"]) ?? this.latency
    this.hasGuardrail ||= document["amazon-bedrock-guardrailAction"] !== undefined
    if (!this.message && isMessage(document)) this.message = new MessageCollector(this.request)
    if (this.message) this.message.add(document)
    else this.addCounts(countsOf(document))
  }

  addAwsEvent(event: AwsEvent | "damaged" | "unfinished"): void {
    if (event === "damaged") this.isDamaged = true
    else if (event === "unfinished") this.isUnfinished = true
    else if (event.isException) this.error = toMessage(event)
    else if (event.type === "chunk") this.addChunk(decodeChunk(event.payload))
    else this.addConverseEvent(event)
  }

  get generatedTokens(): number | undefined {
    const { message, counter, request } = this
    return message ? message.generatedTokens : counter?.tokens(tokensPerCall(modelIn(request.path)))
  }

  evidence(isComplete: boolean): Evidence {
    const { method, path } = this.request
    const usage = this.withAdded(this.answerUsage(isComplete))
    return {
      method,
      path,
      model: modelIn(path),
      usage,
      source: usage?.["estimated_from_text"] === undefined ? "reported" : "estimated",
      isFree: isFreeOperation(OPERATIONS.find(method, path), usage !== undefined && reportsTokens(usage)),
    }
  }

  private addCounts(counts: JsonObject | undefined): void {
    if (!counts) return
    removeMembers(counts, RESERVED_MEMBERS)
    this.usage = { ...this.usage, ...counts }
  }

  /** Takes an event of ConverseStream. Only the last one states the usage. */
  private addConverseEvent({ type, payload }: AwsEvent): void {
    if (type === "contentBlockDelta" || type === "contentBlockStart") {
      this.counter ??= new GeneratedCounter()
      this.counter.addChunk(payload)
    } else if (type === "metadata") {
      const metadata = parseObject(payload)
      if (!metadata) return
      this.isFinal = objectOf(metadata["usage"]) !== undefined
      this.add(metadata)
    }
  }

  /** Takes a chunk of InvokeModelWithResponseStream, which is JSON of the model's own API. */
  private addChunk(data: Buffer | undefined): void {
    if (!data) return
    if (!this.counter && MESSAGE_START.isIn(data)) this.message = new MessageCollector(this.request)
    this.counter ??= new GeneratedCounter()
    if (!this.wantsChunk(data, this.counter)) return
    const chunk = parseObject(data)
    if (chunk) this.add(chunk)
  }

  /** Counts what a chunk generates. Returns whether it may state usage. */
  private wantsChunk(data: Buffer, counter: GeneratedCounter): boolean {
    if (this.message) return this.message.wants(data) || data.includes(TOKEN_COUNT)
    counter.addChunk(data)
    return COUNTS.some((name) => data.includes(name))
  }

  /** Returns the usage that the answer itself states, or an estimate; undefined: neither is known. */
  private answerUsage(isComplete: boolean): JsonObject | undefined {
    const { message, counter, usage, metrics } = this
    // Bedrock's own counts are better than an estimate.
    const isStated = this.isFinal || readMetrics(metrics).input !== undefined
    const isUnknown = this.isDamaged || (isComplete && this.isUnfinished)
    if (message) {
      const evidence = message.evidence()
      if (evidence.source === "reported") return evidence.usage
      return isStated || isUnknown ? undefined : evidence.usage
    }
    if (isStated || !counter) return usage
    return isUnknown || (isComplete && !counter.hasOutput) ? undefined : this.countTokens(counter)
  }

  /** Returns estimated counts. Those that some models report while they answer are nearer to the truth. */
  private countTokens(counter: GeneratedCounter): JsonObject {
    const { request, usage } = this
    const input = firstCount(...INPUTS.map((name) => usage?.[name]), usage?.["prompt_tokens"])
    const output = firstCount(...OUTPUTS.map((name) => usage?.[name]), usage?.["completion_tokens"]) ?? 0
    const counted = {
      inputTokens: input ?? estimateInput(startOf(request)),
      outputTokens: Math.max(output, estimateOutput(request, counter, modelIn(request.path))),
    }
    return { ...counted, estimated_from_text: { ...counted, tokenizer: "characters" } }
  }

  /** Returns the usage object, which was parsed for this answer alone, with what is stated and billed beside it. */
  private withAdded(stated: JsonObject | undefined): JsonObject | undefined {
    const { metrics, tier, latency } = this
    if (!stated && !metrics) return undefined
    const usage: Record<string, unknown> = stated ?? {}
    removeMembers(usage, OWN_MEMBERS)
    if (metrics) usage["invocation_metrics"] = countsIn(metrics)
    if (tier !== undefined) usage["bedrock_service_tier"] = tier
    if (latency !== undefined) usage["bedrock_latency"] = latency
    if (this.hasGuardrail || asksForGuardrail(this.request)) {
      usage["billed_beside"] = { ...objectOf(usage["billed_beside"]), guardrail: true }
    }
    return usage
  }
}

/** Returns Bedrock's own counts without the latencies that stand beside them. */
function countsIn(metrics: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(metrics).filter(([name]) => name.endsWith("TokenCount")))
}

/** A guardrail that checks the request or the answer has a fee of its own. */
function asksForGuardrail({ headers, body }: ProviderRequest): boolean {
  if (headers["x-amzn-bedrock-guardrailidentifier"] !== undefined) return true
  return body.length > 0 && findMembers(bytesOf(body), GUARDRAIL)?.found["guardrailConfig"] !== undefined
}

const GUARDRAIL = new MemberNames(["guardrailConfig"])

/** Returns the message of an exception inside a stream, such as `throttlingException: Too many tokens`. */
function toMessage({ type, payload }: AwsEvent): string {
  const message = readErrorMessage(payload)
  return message === undefined ? type : `${type}: ${message}`
}
