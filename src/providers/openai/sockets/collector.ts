import { findMembers, MemberNames, readMember } from "../../../kit/json/members.ts"
import type { Shape } from "../../../kit/json/prune.ts"
import { QuotedName } from "../../../kit/json/quoted-name.ts"
import { stringEnd } from "../../../kit/json/tokenizer.ts"
import type { ProviderRequest } from "../../_dialect.ts"
import { estimateInput, tokensPerCall } from "../../_estimate.ts"
import type { Collector, Evidence } from "../../_evidence.ts"
import { readContext, typeOf } from "../../_socket-message.ts"
import { bytesPerSecond, decodedBytes } from "../../_sound.ts"
import { TextCounter } from "../../_text-counter.ts"
import { bytesOf, type JsonObject, objectOf, removeMembers, textOf } from "../../_values.ts"
import { RESERVED_MEMBERS } from "../added-members.ts"
import { reportsUsage } from "../usage.ts"
import { OUTPUT_TOKENS_PER_SECOND } from "./conversation.ts"

const USAGE = new QuotedName("usage")
const DELTA = new QuotedName("delta")
const DELTAS = [DELTA]
const TRANSCRIPTS = [new QuotedName("transcript")]
/** The sound of the answer, today and in the beta. What is spoken comes as a transcript too, which is billed as text. */
const SOUND = new Set(["response.output_audio.delta", "response.audio.delta"])
const ARGUMENTS = "response.function_call_arguments.delta"

/** Collects one response of a Realtime session, or one transcription in it. */
export class RealtimeCollector implements Collector {
  readonly shape: Shape = { type: true, usage: true, response: { usage: true } }
  private readonly request: ProviderRequest
  private readonly counter = new TextCounter()
  private soundBytes = 0
  private usage: JsonObject | undefined
  private hasEvents = false
  private isTranscribed = false

  constructor(request: ProviderRequest) {
    this.request = request
  }

  wants(data: Buffer): boolean {
    this.hasEvents = true
    const type = typeOf(data)
    if (type === undefined) return false
    if (type.endsWith(".delta")) this.addDelta(type, data)
    const isTranscript = type.endsWith(".completed")
    if (!isTranscript && type !== "response.done") return false
    if (isTranscript) this.addTranscript(data)
    return USAGE.isIn(data)
  }

  add(document: JsonObject): void {
    const usage = objectOf(objectOf(document["response"])?.["usage"]) ?? objectOf(document["usage"])
    if (usage && reportsUsage(usage)) this.usage = usage
  }

  get generatedTokens(): number {
    return this.counter.tokens(tokensPerCall(undefined)) + this.soundTokens()
  }

  evidence(isComplete: boolean): Evidence {
    const { method, path } = this.request
    const counted = this.usage === undefined ? this.countTokens(isComplete) : undefined
    const usage: Record<string, unknown> = { ...this.usage }
    removeMembers(usage, RESERVED_MEMBERS)
    if (counted) usage["estimated_from_text"] = counted
    const session = objectOf(this.value("session"))
    return {
      method,
      path,
      model: textOf(session?.["model"]),
      usage,
      source: counted ? "estimated" : "reported",
      isFree: false,
    }
  }

  private addDelta(type: string, data: Buffer): void {
    if (SOUND.has(type)) this.soundBytes += decodedBytes(lengthOfDelta(data))
    else if (type === ARGUMENTS) this.counter.addArguments(data, DELTA)
    else this.counter.addText(data, DELTAS)
  }

  /** Some models send the transcript as a whole. */
  private addTranscript(data: Buffer): void {
    this.isTranscribed = true
    if (!this.counter.hasText) this.counter.addText(data, TRANSCRIPTS)
  }

  /** Returns the tokens of a turn without usage; undefined: nothing is billed, or nothing of it was seen. */
  private countTokens(isComplete: boolean): JsonObject | undefined {
    const hasOutput = this.counter.hasOutput || this.soundBytes > 0
    if (!this.hasEvents || (isComplete && !hasOutput && !this.isTranscribed)) return undefined
    const seconds = this.value("seconds")
    if (typeof seconds === "number" && isBilledByTime(textOf(this.value("model")))) return { seconds }
    const { text, audio, image } = readContext(bytesOf(this.request.body))
    return {
      input_tokens: text + audio + image + this.ownInput(),
      input_audio_tokens: audio,
      input_image_tokens: image,
      output_tokens: this.generatedTokens,
      output_audio_tokens: this.soundTokens(),
      tokenizer: "characters",
    }
  }

  /** The texts of the request itself: instructions, and items that are no part of the conversation. */
  private ownInput(): number {
    const body = bytesOf(this.request.body)
    const found = findMembers(body, OWN_INPUT_NAMES)?.found
    return OWN_INPUT.reduce((sum, name) => {
      const member = found?.[name]
      return sum + (member ? estimateInput(body.subarray(member.start, member.end)) : 0)
    }, 0)
  }

  private soundTokens(): number {
    const session = objectOf(this.value("session"))
    const rate = bytesPerSecond(textOf(session?.["output_audio_format"]))
    return Math.ceil((this.soundBytes / rate) * OUTPUT_TOKENS_PER_SECOND)
  }

  private value(name: string): unknown {
    return readMember(bytesOf(this.request.body), name)
  }
}

const OWN_INPUT = ["instructions", "input", "tools"]
const OWN_INPUT_NAMES = new MemberNames(OWN_INPUT)

/** Returns true for a model of transcriptions that is billed by the length of the sound. */
function isBilledByTime(model: string | undefined): boolean {
  return model !== undefined && /whisper|live-transcribe|^gpt-transcribe/.test(model)
}

/** Returns the length of the text in the `delta` of an event. */
export function lengthOfDelta(data: Buffer): number {
  const at = DELTA.indexOf(data)
  const start = at < 0 ? -1 : data.indexOf(QUOTE, at + DELTA.length)
  const end = start < 0 ? -1 : stringEnd(data, start)
  return end < 0 ? 0 : end - start - 2
}

const QUOTE = 34
