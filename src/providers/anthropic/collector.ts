import type { Shape } from "../../kit/json/prune.ts"
import { BatchSums } from "../_batch.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { createTextCounter, textNames } from "../_estimate.ts"
import type { Collector, Evidence } from "../_evidence.ts"
import { isFreeOperation } from "../_routes.ts"
import { countOf, type JsonObject, listOf, objectOf, removeMembers, textOf } from "../_values.ts"
import { mergeUsage } from "./merge.ts"
import { toReading } from "./reading.ts"
import { OPERATIONS } from "./routes.ts"
import { reportsTokens } from "./usage.ts"

const USAGE = Buffer.from('"usage"')
const TEXT = textNames("text", "partial_json", "thinking")

/** Collects the usage of Anthropic's Messages: whole, streamed, or the results of a batch, one message per line. */
export class MessageCollector implements Collector {
  readonly shape = SHAPE
  private readonly request: ProviderRequest
  private model: string | undefined
  private usage: JsonObject | undefined
  private stopReason: string | undefined
  private hasContent = false
  /** The stream has started and has not stated its final usage yet. */
  private isOpen = false
  private counter: ReturnType<typeof createTextCounter> | undefined
  private batch: BatchSums | undefined

  constructor(request: ProviderRequest) {
    this.request = request
  }

  wants(data: Buffer): boolean {
    if (data.includes(USAGE)) return true
    this.counter ??= createTextCounter(TEXT)
    this.counter.addEvent(data)
    return false
  }

  add(document: JsonObject): void {
    switch (document["type"]) {
      case "message_start":
        this.addMessage(objectOf(document["message"]))
        this.isOpen = true
        return
      case "message_delta":
        this.addDelta(document)
        return
    }
    const result = objectOf(document["result"])
    const message = objectOf(result?.["message"])
    if (message) this.addResult(message)
    else if (!result) this.addMessage(document)
  }

  evidence(): Evidence {
    const { method, path } = this.request
    const batch = this.batch?.toUsage()
    if (batch) return { method, path, model: undefined, usage: batch, source: "reported", isFree: false }
    const isFree = isFreeOperation(OPERATIONS.find(method, path))
    let usage = isFree ? undefined : this.usage
    if (usage && this.isOpen) usage = this.withCountedOutput(usage)
    if (usage) removeMembers(usage, RESERVED_MEMBERS)
    return {
      method,
      path,
      model: this.model,
      usage,
      source: usage && this.isOpen ? "estimated" : "reported",
      isFree: isFree || (usage !== undefined && this.isUnbilledRefusal(usage)),
    }
  }

  private addMessage(message: JsonObject | undefined): void {
    if (!message) return
    this.model = textOf(message["model"]) ?? this.model
    this.stopReason = textOf(message["stop_reason"]) ?? this.stopReason
    this.usage = objectOf(message["usage"]) ?? this.usage
    this.hasContent ||= listOf(message["content"]).length > 0
  }

  private addDelta(event: JsonObject): void {
    const usage = objectOf(event["usage"])
    this.stopReason = textOf(objectOf(event["delta"])?.["stop_reason"]) ?? this.stopReason
    if (usage) this.usage = mergeUsage(this.usage ?? {}, usage)
    this.isOpen = false
  }

  /** Adds the message of one line of a batch's results. */
  private addResult(message: JsonObject): void {
    const { method, path } = this.request
    const usage = objectOf(message["usage"])
    const model = textOf(message["model"])
    this.batch ??= new BatchSums()
    this.batch.add(toReading({ method, path, model, usage, source: "reported", isFree: false }))
  }

  /** The start of a stream that was cut off states the input. The output is at least what came. */
  private withCountedOutput(usage: JsonObject): JsonObject {
    return { ...usage, output_tokens: Math.max(countOf(usage["output_tokens"]) ?? 0, this.counter?.tokens() ?? 0) }
  }

  /** Since 2026-06-02 a refusal without any output is not billed. */
  private isUnbilledRefusal(usage: JsonObject): boolean {
    if (this.stopReason !== "refusal" || this.hasContent || !reportsTokens(usage)) return false
    return (countOf(usage["output_tokens"]) ?? 0) === 0
  }
}

const MESSAGE_SHAPE = { model: true, stop_reason: true, usage: true, content: [{ type: true }] } satisfies Shape

const SHAPE: Shape = {
  ...MESSAGE_SHAPE,
  type: true,
  message: MESSAGE_SHAPE,
  delta: { stop_reason: true },
  result: { type: true, message: MESSAGE_SHAPE },
}

/** Members that only the gateway may write: see `BatchSums`. */
const RESERVED_MEMBERS = ["sums"]
