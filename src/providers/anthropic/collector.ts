import type { Shape } from "../../kit/json/prune.ts"
import { QuotedName } from "../../kit/json/quoted-name.ts"
import type { RepeatedEvent } from "../../kit/repeated-events.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { estimateInput, estimateOutput, startOf, tokensPerCall } from "../_estimate.ts"
import type { Collector, Evidence } from "../_evidence.ts"
import { isFreeOperation } from "../_routes.ts"
import { TextCounter } from "../_text-counter.ts"
import { countOf, type JsonObject, listOf, objectOf, removeMembers, textOf } from "../_values.ts"
import { countEvent, countMessage } from "./generated.ts"
import { mergeUsage, statesInput } from "./merge.ts"
import { RESERVED_MEMBERS } from "./reading.ts"
import { OPERATIONS } from "./routes.ts"
import { countsTokens, reportsTokens } from "./usage.ts"

const USAGE = new QuotedName("usage")

/** Collects the usage of Anthropic's Messages: whole or streamed. */
export class MessageCollector implements Collector {
  readonly shape = SHAPE
  private readonly request: ProviderRequest
  private model: string | undefined
  private usage: JsonObject | undefined
  private stopReason: string | undefined
  private hasContent = false
  /** The answer names the container in which code ran. */
  private ranCode = false
  /** The stream has started and has not stated its final usage yet. */
  private isOpen = false
  /** Counts what a stream generates; undefined: the answer is no stream. */
  private counter: TextCounter | undefined

  constructor(request: ProviderRequest) {
    this.request = request
  }

  wants(data: Buffer): boolean {
    // The first event names the model, even if it has no usage.
    const isFirst = this.counter === undefined
    this.counter ??= new TextCounter()
    this.counter.onlyTextAt = -1
    if (isFirst || USAGE.isIn(data)) return true
    countEvent(this.counter, data)
    return false
  }

  get textAt(): number {
    return this.counter?.onlyTextAt ?? -1
  }

  addRepeated(event: RepeatedEvent): boolean {
    return this.counter!.addRepeated(event)
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
    this.addMessage(document)
  }

  get generatedTokens(): number | undefined {
    const { counter, model } = this
    return counter && counter.tokens(tokensPerCall(model)) + counter.encryptedReasoning
  }

  evidence(): Evidence {
    const { method, path } = this.request
    const hasUsage = this.usage !== undefined && countsTokens(this.usage)
    const isFree = isFreeOperation(OPERATIONS.find(method, path), hasUsage)
    let usage = isFree ? undefined : this.usage
    const counted = isFree ? undefined : this.countedUsage()
    if (usage) usage = withAdded(usage, this.ranCode)
    if (counted) usage = { ...usage, ...counted, estimated_from_text: { ...counted, tokenizer: "characters" } }
    return {
      method,
      path,
      model: this.model,
      usage,
      source: counted ? "estimated" : "reported",
      isFree: isFree || (usage !== undefined && this.isUnbilledRefusal(usage)),
    }
  }

  private addMessage(message: JsonObject | undefined): void {
    if (!message) return
    this.model = textOf(message["model"]) ?? this.model
    this.stopReason = textOf(message["stop_reason"]) ?? this.stopReason
    this.usage = objectOf(message["usage"]) ?? this.usage
    const content = listOf(message["content"])
    this.hasContent ||= content.length > 0
    // A whole message that states no usage is counted; the start of a stream has no content yet.
    if (!this.usage && content.length > 0) this.counter ??= countMessage(content)
    this.ranCode ||= objectOf(message["container"]) !== undefined
  }

  private addDelta(event: JsonObject): void {
    const usage = objectOf(event["usage"])
    const delta = objectOf(event["delta"])
    this.stopReason = textOf(delta?.["stop_reason"]) ?? this.stopReason
    this.ranCode ||= objectOf(delta?.["container"]) !== undefined
    if (usage) this.usage = mergeUsage(this.usage ?? {}, usage)
    if (countOf(usage?.["output_tokens"]) !== undefined) this.isOpen = false
  }

  /**
   * Returns the counts that a stream did not report; undefined: it reported all of them, or the answer is no stream. The
   * start of a stream states the input, and the output is at least what came.
   */
  private countedUsage(): JsonObject | undefined {
    const { request, counter, model, isOpen } = this
    const usage = this.usage && reportsTokens(this.usage) ? this.usage : undefined
    if (!counter || (!usage && !counter.hasOutput)) return undefined
    const counted: Record<string, number> = {}
    if (!usage || !statesInput(usage)) counted["input_tokens"] = estimateInput(startOf(request))
    if (!usage || isOpen) {
      const reported = countOf(usage?.["output_tokens"]) ?? 0
      counted["output_tokens"] = Math.max(reported, estimateOutput(request, counter, model))
    }
    return Object.keys(counted).length > 0 ? counted : undefined
  }

  /** Since 2026-06-02 a refusal without any output is not billed. */
  private isUnbilledRefusal(usage: JsonObject): boolean {
    if (this.stopReason !== "refusal" || this.hasContent || !reportsTokens(usage)) return false
    return (countOf(usage["output_tokens"]) ?? 0) === 0
  }
}

/** Returns the usage object, which was parsed for this answer alone, with what is billed beside it. */
export function withAdded(usage: JsonObject, ranCode: boolean): JsonObject {
  removeMembers(usage, RESERVED_MEMBERS)
  return ranCode ? { ...usage, billed_beside: { code_execution: true } } : usage
}

/** The members that the collector reads in a message. */
export const MESSAGE_SHAPE = {
  model: true,
  stop_reason: true,
  usage: true,
  content: [{ type: true }],
  container: { id: true },
} satisfies Shape

const SHAPE: Shape = {
  ...MESSAGE_SHAPE,
  type: true,
  message: MESSAGE_SHAPE,
  delta: { stop_reason: true, container: { id: true } },
}
