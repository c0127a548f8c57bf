import type { Reading } from "../../core/usage.ts"
import type { Shape } from "../../kit/json/prune.ts"
import { QuotedName } from "../../kit/json/quoted-name.ts"
import { KeptBytes } from "../../kit/kept-bytes.ts"
import type { RepeatedEvent } from "../../kit/repeated-events.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { estimateInput, startOf, tokensPerCall } from "../_estimate.ts"
import type { Collector, Evidence } from "../_evidence.ts"
import { isFreeOperation } from "../_routes.ts"
import { countOf, type JsonObject, listOf, modelNameOf, objectOf, removeMembers, textOf } from "../_values.ts"
import { GeneratedCounter } from "./generated.ts"
import { Grounding, groundingOfInteraction } from "./grounding.ts"
import { fromInteraction } from "./interactions.ts"
import { LiveCollector } from "./live/collector.ts"
import { countImages, readPieces } from "./pieces.ts"
import { fromPredictions } from "./predictions.ts"
import { RESERVED_MEMBERS, toReading } from "./reading.ts"
import { isStreamed, OPERATIONS } from "./routes.ts"
import { SHAPE, STREAM_SHAPE, unwrap } from "./shapes.ts"
import { candidatesOf, countsTokens, reportsTokens, tierOf } from "./usage.ts"

/** Returns the collector for an answer of Gemini's, whole or streamed. */
export function createCollector(request: ProviderRequest): Collector {
  const { kind } = OPERATIONS.find(request.method, request.path)
  return kind === "live" ? new LiveCollector(request) : new AnswerCollector(request)
}

const OPEN_BRACE = 123
const CLOSE_BRACE = 125
const FINISH = new QuotedName("finishReason")
const GROUNDING = new QuotedName("groundingMetadata")
const PROMPT = new QuotedName("promptTokenCount")
const INTERACTION = new QuotedName("interaction")
const CANDIDATES = new QuotedName("candidatesTokenCount")
const THOUGHTS = new QuotedName("thoughtsTokenCount")

/** The counts that an event states: none, those of the prompt, or those of the output too. */
type Stated = "nothing" | "prompt" | "output"

function statedBy(data: Buffer): Stated {
  if (!PROMPT.isIn(data)) return "nothing"
  return CANDIDATES.isIn(data) || THOUGHTS.isIn(data) ? "output" : "prompt"
}

/** Collects one answer. Each chunk repeats the counts so far, so the last with a prompt count is the answer's. */
class AnswerCollector implements Collector {
  readonly shape: Shape
  private readonly request: ProviderRequest
  private model: string | undefined
  private usage: JsonObject | undefined
  private tier: string | undefined
  private isFinished = false
  private images = 0
  private grounding: Grounding | undefined
  /** The counts that an answer of the Interactions API states itself. */
  private groundingCounts: JsonObject | undefined
  /** The newest chunk with counts. It is parsed only if the stream is cut off, because a newer chunk replaces it. */
  private readonly unparsed = new KeptBytes()
  /** Counts what a stream generates, in case it ends without its usage; undefined: the answer is no stream. */
  private counter: GeneratedCounter | undefined
  /** The tokens that were counted of the stream when it last reported its output. */
  private countedAtUsage = 0
  /** A whole answer without usage. */
  private silent: JsonObject | undefined
  /** The output of the chunk that is about to be added is counted already. */
  private isCounted = false
  /** The event that others repeat, and what all of them state. */
  private repeated: Buffer | undefined
  private repeatedly: Stated = "nothing"

  constructor(request: ProviderRequest) {
    this.request = request
    const isStream = isStreamed(request.path)
    this.shape = isStream ? STREAM_SHAPE : SHAPE
    if (isStream) this.counter = new GeneratedCounter()
  }

  wants(data: Buffer): boolean {
    this.counter ??= new GeneratedCounter()
    this.isCounted = !GROUNDING.isIn(data) && this.counter.addEvent(data)
    if (!this.isCounted || this.model === undefined || FINISH.isIn(data) || INTERACTION.isIn(data)) return true
    this.keepCounts(statedBy(data), data, 0, data.length)
    return false
  }

  get textAt(): number {
    return this.counter?.onlyTextAt ?? -1
  }

  addRepeated(event: RepeatedEvent): boolean {
    if (!this.counter!.addRepeated(event)) return false
    if (this.repeated !== event.like) {
      this.repeated = event.like
      this.repeatedly = statedBy(event.like)
    }
    this.keepCounts(this.repeatedly, event.bytes, event.start, event.end)
    return true
  }

  /** Keeps the counts that the event from `start` to `end` states, whose output is counted. */
  private keepCounts(stated: Stated, bytes: Buffer, start: number, end: number): void {
    if (stated !== "nothing") this.unparsed.keep(bytes, start, end)
    if (stated === "output") this.countedAtUsage = this.counted()
  }

  add(document: JsonObject): void {
    const answer = unwrap(document)
    if (!this.isCounted) this.counter?.addAnswer(answer)
    this.isCounted = false
    const usage = objectOf(answer["usageMetadata"])
    if (!usage && !this.counter) this.silent = answer
    if (usage?.["candidatesTokenCount"] ?? usage?.["thoughtsTokenCount"]) this.countedAtUsage = this.counted()
    this.addCounted(answer)
  }

  /** Adds an answer, or a chunk of one, whose output is counted. */
  private addCounted(answer: JsonObject): void {
    const earlier = this.unparsed.take()
    if (earlier && objectOf(answer["usageMetadata"])?.["promptTokenCount"] === undefined) {
      this.addCounted(unwrap(parsed(earlier)))
    }
    this.model = modelOf(answer) ?? this.model
    this.addUsage(objectOf(answer["usageMetadata"]) ?? fromInteraction(answer) ?? fromPredictions(answer))
    this.groundingCounts = groundingOfInteraction(objectOf(answer["usage"])) ?? this.groundingCounts
    for (const element of listOf(answer["candidates"])) this.addCandidate(objectOf(element))
    this.images = Math.max(this.images, countImages(answer))
  }

  get generatedTokens(): number | undefined {
    return this.counter && this.counted() + this.counter.encryptedReasoning
  }

  evidence(isComplete: boolean): Evidence {
    const unparsed = this.unparsed.take()
    if (unparsed) this.addCounted(unwrap(parsed(unparsed)))
    const { method, path } = this.request
    const pieces = readPieces(this.request, this.images, this.silent)
    const hasUsage = pieces !== undefined || (this.usage !== undefined && countsTokens(this.usage))
    const isFree = isFreeOperation(OPERATIONS.find(method, path), hasUsage)
    const isCut = !isComplete && !this.isFinished
    const counted = isFree ? undefined : this.countedUsage(isCut)
    return {
      method,
      path,
      model: this.model,
      usage: this.usageWithAdded(isFree, counted) ?? (pieces && { billed_beside: pieces }),
      source: counted || isCut ? "estimated" : "reported",
      isFree,
    }
  }

  private counted(): number {
    return this.counter?.tokens(tokensPerCall(this.model)) ?? 0
  }

  /**
   * Returns the counts that a stream did not report; undefined: there are none. Most chunks report the counts so far, so
   * that only the output since the last of them is estimated.
   */
  private countedUsage(isCut: boolean): JsonObject | undefined {
    const usage = this.usage && reportsTokens(this.usage) ? this.usage : undefined
    if (this.silent && !usage && this.images === 0) return this.countSilent(this.silent)
    if (!this.counter?.hasOutput) return undefined
    if (!usage) return this.countedAll()
    const output = isCut ? this.counted() - this.countedAtUsage : 0
    if (output <= 0) return undefined
    const total = countOf(usage["totalTokenCount"])
    return {
      candidatesTokenCount: candidatesOf(usage) + output,
      ...(total === undefined ? {} : { totalTokenCount: total + output }),
    }
  }

  /** Returns the counts of a whole answer that reports none; undefined: it has nothing that is billed. */
  private countSilent(answer: JsonObject): JsonObject | undefined {
    if (answer["embedding"] !== undefined || answer["embeddings"] !== undefined) {
      const promptTokenCount = estimateInput(startOf(this.request))
      return promptTokenCount > 0 ? { promptTokenCount } : undefined
    }
    this.counter = new GeneratedCounter()
    this.counter.addAnswer(answer)
    return this.counter.hasOutput ? this.countedAll() : undefined
  }

  private countedAll(): JsonObject {
    const thoughts = this.counter?.encryptedReasoning ?? 0
    return {
      promptTokenCount: estimateInput(startOf(this.request)),
      candidatesTokenCount: this.counted(),
      ...(thoughts > 0 ? { thoughtsTokenCount: thoughts } : {}),
    }
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
    // It is a number if the client asked for enumerations as numbers.
    if (textOf(candidate["finishReason"]) ?? countOf(candidate["finishReason"])) this.isFinished = true
    const metadata = objectOf(candidate["groundingMetadata"])
    if (!metadata) return
    this.grounding ??= new Grounding()
    this.grounding.add(metadata)
  }

  /** The usage object, which was parsed for this answer alone, with what is counted, billed and stated beside it. */
  private usageWithAdded(isFree: boolean, counted: JsonObject | undefined): JsonObject | undefined {
    if (isFree || !(counted || (this.usage && reportsTokens(this.usage)))) return undefined
    const usage: Record<string, unknown> = this.usage ?? {}
    removeMembers(usage, RESERVED_MEMBERS)
    if (counted) Object.assign(usage, counted, { estimated_from_text: { ...counted, tokenizer: "characters" } })
    if (this.tier !== undefined && tierOf(usage) !== this.tier) usage["serviceTier"] = this.tier
    const grounding = this.groundingCounts ?? this.grounding?.toUsage()
    if (grounding) usage["grounding"] = grounding
    return usage
  }
}

/**
 * Returns the reading of an answer that another one contains.
 * @param request the request that the answer is read for
 */
export function readAnswer(request: ProviderRequest, answer: JsonObject): Reading {
  const collector = new AnswerCollector(request)
  collector.add(answer)
  return toReading(collector.evidence(true))
}

function modelOf(answer: JsonObject): string | undefined {
  return modelNameOf(answer["modelVersion"]) ?? modelNameOf(answer["model"])
}

/** Parses the data of an event. It may still have its field name and its line breaks around it. */
function parsed(data: Buffer): JsonObject {
  try {
    return (
      objectOf(JSON.parse(data.toString("utf8", data.indexOf(OPEN_BRACE), data.lastIndexOf(CLOSE_BRACE) + 1))) ?? {}
    )
  } catch {
    return {}
  }
}
