import { readMember } from "../../../kit/json/members.ts"
import type { Shape } from "../../../kit/json/prune.ts"
import { QuotedName } from "../../../kit/json/quoted-name.ts"
import { stringEnd } from "../../../kit/json/tokenizer.ts"
import type { ProviderRequest } from "../../_dialect.ts"
import { tokensPerCall } from "../../_estimate.ts"
import type { Collector, Evidence } from "../../_evidence.ts"
import { readContext } from "../../_socket-message.ts"
import { bytesPerSecond, decodedBytes } from "../../_sound.ts"
import { bytesOf, countOf, type JsonObject, listOf, objectOf, removeMembers, textOf } from "../../_values.ts"
import { GeneratedCounter } from "../generated.ts"
import { Grounding } from "../grounding.ts"
import { RESERVED_MEMBERS } from "../reading.ts"
import { METADATA_SHAPE } from "../shapes.ts"
import { candidatesOf, countsTokens, reportsTokens } from "../usage.ts"
import { TOKENS_PER_SECOND } from "./context.ts"

const USAGE = new QuotedName("usageMetadata")
const GROUNDING = new QuotedName("groundingMetadata")
const TOOL_CALL = new QuotedName("toolCall")
const TURN_COMPLETE = new QuotedName("turnComplete")
const INLINE_DATA = new QuotedName("inlineData")
const DATA = new QuotedName("data")
const TEXT = new QuotedName("text")
const TRANSCRIPTION = /"(?:out|in|interimIn)putTranscription"/
const QUOTE = 34

/** Collects one turn of a session of the Live API. */
export class LiveCollector implements Collector {
  readonly shape: Shape = {
    usageMetadata: true,
    serverContent: { groundingMetadata: METADATA_SHAPE },
    toolCall: { functionCalls: [{ name: true, args: true }] },
  }
  private readonly request: ProviderRequest
  private readonly counter = new GeneratedCounter()
  private soundBytes = 0
  private hasEvents = false
  private isTurnComplete = false
  /** The counts of the model's calls in this turn, of which functions of the client make several. */
  private readonly finished: JsonObject[] = []
  private usage: JsonObject | undefined
  private hasToolCall = false
  private grounding: Grounding | undefined

  constructor(request: ProviderRequest) {
    this.request = request
  }

  wants(data: Buffer): boolean {
    this.hasEvents = true
    this.isTurnComplete ||= TURN_COMPLETE.isIn(data)
    this.soundBytes += soundIn(data)
    const isCall = TOOL_CALL.isIn(data)
    // The words that the model speaks are not billed beside its sound.
    if (!isCall && TEXT.isIn(data) && !TRANSCRIPTION.test(data.toString("latin1", 0, 64))) {
      this.counter.addAllText(data, TEXT)
    }
    return isCall || USAGE.isIn(data) || GROUNDING.isIn(data)
  }

  add(document: JsonObject): void {
    const usage = objectOf(document["usageMetadata"])
    if (usage && reportsTokens(usage)) this.addUsage(usage)
    const metadata = objectOf(objectOf(document["serverContent"])?.["groundingMetadata"])
    if (metadata) {
      this.grounding ??= new Grounding()
      this.grounding.add(metadata)
    }
    for (const element of listOf(objectOf(document["toolCall"])?.["functionCalls"])) {
      this.hasToolCall = true
      this.counter.addAnswer({ candidates: [{ content: { parts: [{ functionCall: element }] } }] })
    }
  }

  get generatedTokens(): number {
    return this.counter.tokens(tokensPerCall(undefined)) + this.soundTokens()
  }

  evidence(isComplete: boolean): Evidence {
    const { method, path } = this.request
    const reported = this.usage && sumOf([...this.finished, this.usage])
    const counted = reported && countsTokens(reported) ? undefined : this.countTokens(isComplete)
    const usage: Record<string, unknown> = { ...(counted ?? reported) }
    removeMembers(usage, RESERVED_MEMBERS)
    if (counted) usage["estimated_from_text"] = { ...counted, tokenizer: "characters" }
    const grounding = this.grounding?.toUsage()
    if (grounding) usage["grounding"] = grounding
    // The counts of a turn that was cut off may have come in its middle.
    const isCut = !isComplete && !this.isTurnComplete
    return {
      method,
      path,
      model: modelOf(this.request),
      usage: counted || reported ? usage : undefined,
      source: counted || isCut ? "estimated" : "reported",
      isFree: false,
    }
  }

  /**
   * Takes counts. They replace the earlier ones, except that after a call of the client's functions the model works again,
   * with a longer prompt, and is billed again.
   */
  private addUsage(usage: JsonObject): void {
    const { usage: before } = this
    const isNext = before !== undefined && this.hasToolCall && promptOf(usage) > promptOf(before)
    if (isNext) this.finished.push(before)
    this.usage = usage
  }

  /** Returns the counts of a turn that reports none; undefined: nothing of it was seen. */
  private countTokens(isComplete: boolean): JsonObject | undefined {
    const sound = this.soundTokens()
    const generated = this.generatedTokens
    if (!this.hasEvents || (isComplete && generated === 0)) return undefined
    const { text, audio, image } = readContext(bytesOf(this.request.body))
    return {
      promptTokenCount: text + audio + image,
      promptTokensDetails: details({ AUDIO: audio, IMAGE: image }),
      responseTokenCount: generated,
      responseTokensDetails: details({ AUDIO: sound }),
    }
  }

  private soundTokens(): number {
    return Math.ceil((this.soundBytes / bytesPerSecond(undefined)) * TOKENS_PER_SECOND)
  }
}

/** No message of the provider names the model. */
function modelOf({ body }: ProviderRequest): string | undefined {
  return textOf(readMember(bytesOf(body), "model"))
}

function promptOf(usage: JsonObject): number {
  return countOf(usage["promptTokenCount"]) ?? 0
}

function details(counts: Readonly<Record<string, number>>): JsonObject[] {
  return Object.entries(counts).flatMap(([modality, tokenCount]) => (tokenCount > 0 ? [{ modality, tokenCount }] : []))
}

const SUMMED = [
  "promptTokenCount",
  "toolUsePromptTokenCount",
  "cachedContentTokenCount",
  "thoughtsTokenCount",
  "totalTokenCount",
] as const
const LISTS = ["promptTokensDetails", "cacheTokensDetails", "toolUsePromptTokensDetails"] as const

/** Returns the sum of counts, in the names of `usageMetadata`. One alone is returned as it is. */
function sumOf(parts: readonly JsonObject[]): JsonObject {
  const last = parts.at(-1)!
  if (parts.length === 1) return last
  const sum: Record<string, unknown> = { ...last }
  for (const name of SUMMED) {
    if (parts.some((part) => part[name] !== undefined)) {
      sum[name] = parts.reduce((total, part) => total + (countOf(part[name]) ?? 0), 0)
    }
  }
  for (const name of LISTS) sum[name] = parts.flatMap((part) => listOf(part[name]))
  sum["responseTokenCount"] = parts.reduce((total, part) => total + candidatesOf(part), 0)
  sum["responseTokensDetails"] = parts.flatMap((part) => [
    ...listOf(part["responseTokensDetails"]),
    ...listOf(part["candidatesTokensDetails"]),
  ])
  delete sum["candidatesTokenCount"]
  delete sum["candidatesTokensDetails"]
  return sum
}

/** Returns the bytes of sound in a message. The model sends nothing else as data. */
function soundIn(data: Buffer): number {
  let bytes = 0
  for (let at = INLINE_DATA.indexOf(data); at >= 0; at = INLINE_DATA.indexOf(data, at + INLINE_DATA.length)) {
    const member = DATA.indexOf(data, at + INLINE_DATA.length)
    const start = member < 0 ? -1 : data.indexOf(QUOTE, member + DATA.length)
    const end = start < 0 ? -1 : stringEnd(data, start)
    if (end > 0) bytes += decodedBytes(end - start - 2)
  }
  return bytes
}
