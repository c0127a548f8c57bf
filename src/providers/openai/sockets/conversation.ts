import { type Member, memberValue } from "../../../kit/json/members.ts"
import { QuotedName } from "../../../kit/json/quoted-name.ts"
import { estimateInput } from "../../_estimate.ts"
import { type ContextTokens, NO_CONTEXT } from "../../_socket-message.ts"
import { bytesPerSecond, decodedBytes } from "../../_sound.ts"
import { countOf, type JsonObject, objectOf, textOf } from "../../_values.ts"

/**
 * Sound that a user speaks is one token per 100 ms, and sound that the model speaks one per 50 ms
 * (developers.openai.com/api/docs/guides/realtime-costs, read in November 2026).
 */
export const INPUT_TOKENS_PER_SECOND = 10
export const OUTPUT_TOKENS_PER_SECOND = 20

/** The items whose spoken length is remembered until their transcription ends. */
const MAX_ITEMS = 16

/**
 * Follows what the conversation of a Realtime session contains, in tokens. Each response has all of it as its input, and
 * reports it; the numbers here are for responses that end without their usage.
 */
export class Conversation {
  tokens: ContextTokens = NO_CONTEXT
  inputFormat: string | undefined
  outputFormat: string | undefined
  /** The bytes of sound in the input buffer, and the times at which a voice was heard in it, in ms of the session. */
  private bufferedBytes = 0
  private speechStart: number | undefined
  private speechMs: number | undefined
  private readonly itemSeconds = new Map<string, number>()

  /** Takes a message of the client that adds to the conversation, by its members. */
  addFromClient(type: string, message: Buffer, found: Readonly<Record<string, Member>>): void {
    const { audio, item } = found
    if (type === "input_audio_buffer.append" && audio) this.bufferedBytes += decodedBytes(audio.end - audio.start - 2)
    if (type === "conversation.item.create" && item) this.addItem(message.subarray(item.start, item.end))
  }

  /** Takes an event of the provider about the input buffer. */
  addFromProvider(type: string, event: JsonObject): void {
    if (type === "input_audio_buffer.speech_started") this.speechStart = countOf(event["audio_start_ms"])
    else if (type === "input_audio_buffer.speech_stopped") this.addSpeech(countOf(event["audio_end_ms"]))
    else if (type === "input_audio_buffer.cleared") this.clearBuffer()
    else if (type === "input_audio_buffer.committed") this.commit(textOf(event["item_id"]))
  }

  /** Replaces the count by what a response of the conversation reported: its input, and its output, which follows it. */
  setReported(usage: JsonObject): void {
    const input = objectOf(usage["input_token_details"])
    const output = objectOf(usage["output_token_details"])
    const sum = (name: string) => (countOf(input?.[name]) ?? 0) + (countOf(output?.[name]) ?? 0)
    this.tokens = { text: sum("text_tokens"), audio: sum("audio_tokens"), image: sum("image_tokens") }
  }

  /** Returns the length of the sound of an item; undefined: it is not known. */
  secondsOf(item: string | undefined): number | undefined {
    return item === undefined ? undefined : this.itemSeconds.get(item)
  }

  private addItem(item: Buffer): void {
    if (!INPUT_AUDIO.isIn(item)) this.add("text", estimateInput(item))
    else this.add("audio", this.toTokens(decodedBytes(item.length) / bytesPerSecond(this.inputFormat)))
  }

  private addSpeech(end: number | undefined): void {
    if (end !== undefined && this.speechStart !== undefined) this.speechMs = Math.max(0, end - this.speechStart)
  }

  /** The buffer becomes an item. With voice detection, only what was spoken counts. */
  private commit(item: string | undefined): void {
    const seconds = (this.speechMs ?? (1000 * this.bufferedBytes) / bytesPerSecond(this.inputFormat)) / 1000
    this.add("audio", this.toTokens(seconds))
    if (item !== undefined) this.itemSeconds.set(item, seconds)
    for (const oldest of this.itemSeconds.keys()) {
      if (this.itemSeconds.size <= MAX_ITEMS) break
      this.itemSeconds.delete(oldest)
    }
    this.clearBuffer()
  }

  private clearBuffer(): void {
    this.bufferedBytes = 0
    this.speechStart = undefined
    this.speechMs = undefined
  }

  private toTokens(seconds: number): number {
    return Math.ceil(seconds * INPUT_TOKENS_PER_SECOND)
  }

  private add(modality: keyof ContextTokens, tokens: number): void {
    this.tokens = { ...this.tokens, [modality]: this.tokens[modality] + tokens }
  }
}

const INPUT_AUDIO = new QuotedName("input_audio")

/** The settings of a session, as the provider states them. */
export interface SessionFacts {
  /** The model that serves the session. */
  readonly model: string | undefined
  /** The model that transcribes what the user says; undefined: nothing is transcribed. */
  readonly transcriptionModel: string | undefined
  readonly inputFormat: string | undefined
  readonly outputFormat: string | undefined
}

/** The members of a session that are read: those of today, and those of the beta. */
export const SESSION_NAMES = [
  "model",
  "audio",
  "input_audio_transcription",
  "input_audio_format",
  "output_audio_format",
] as const

/** Reads the session of `session.created` and `session.updated`. */
export function readSession(bytes: Buffer, found: Readonly<Record<string, Member>>): SessionFacts {
  const value = (name: (typeof SESSION_NAMES)[number]) => memberValue(bytes, found[name], MAX_AUDIO_BYTES)
  const audio = objectOf(value("audio"))
  const input = objectOf(audio?.["input"])
  const transcription = objectOf(input?.["transcription"]) ?? objectOf(value("input_audio_transcription"))
  return {
    model: textOf(value("model")),
    transcriptionModel: textOf(transcription?.["model"]),
    inputFormat: formatOf(input) ?? textOf(value("input_audio_format")),
    outputFormat: formatOf(objectOf(audio?.["output"])) ?? textOf(value("output_audio_format")),
  }
}

/** The prompt of a transcription is part of it. */
const MAX_AUDIO_BYTES = 64 * 1024

function formatOf(side: JsonObject | undefined): string | undefined {
  return textOf(objectOf(side?.["format"])?.["type"])
}
