import { findMembers, type Member, MemberNames, memberValue } from "../../../kit/json/members.ts"
import { estimateInput } from "../../_estimate.ts"
import { type ContextTokens, NO_CONTEXT } from "../../_socket-message.ts"
import { decodedBytes } from "../../_sound.ts"
import { listOf, objectOf, textOf } from "../../_values.ts"
import { readUsage } from "../usage.ts"

/**
 * The Live API counts 25 tokens per second of sound, in and out, and 258 per second of film, of which it takes one picture
 * per second (Google's page about the Live API on Vertex AI, as remembered in November 2026; for files of sound,
 * ai.google.dev/gemini-api/docs/tokens has 32).
 */
export const TOKENS_PER_SECOND = 25
const TOKENS_PER_PICTURE = 258
/** Samples of 16 bits. A client that states no rate sends 16 kHz. */
const BYTES_PER_SAMPLE = 2
const DEFAULT_RATE = 16_000

const PARTS = new MemberNames(["audio", "video", "text", "mediaChunks", "media_chunks"])
const BLOB = new MemberNames(["data", "mimeType", "mime_type"])
/** No list of chunks in one message is longer. */
const MAX_CHUNKS_BYTES = 4 * 1024 * 1024

/**
 * Follows what the conversation of a Live session contains, in tokens. Each turn reports it; the numbers here are for turns
 * that end without their counts.
 */
export class LiveContext {
  tokens: ContextTokens = NO_CONTEXT

  /** Adds the texts of a message of the client: its setup, its content, or the answer to a call. */
  addText(member: Buffer): void {
    this.add("text", estimateInput(member))
  }

  /** Adds what the user says, shows or writes meanwhile. */
  addRealtime(input: Buffer): void {
    const found = findMembers(input, PARTS)?.found ?? {}
    for (const name of ["audio", "video"]) {
      const blob = found[name]
      if (blob) this.addBlob(input.subarray(blob.start, blob.end))
    }
    const { text } = found
    if (text) this.addText(input.subarray(text.start, text.end))
    const chunks = found["mediaChunks"] ?? found["media_chunks"]
    for (const element of listOf(memberValue(input, chunks, MAX_CHUNKS_BYTES))) {
      const chunk = objectOf(element)
      const { data } = chunk ?? {}
      const type = textOf(chunk?.["mimeType"]) ?? textOf(chunk?.["mime_type"])
      if (typeof data === "string") this.addMedia(type, data.length)
    }
  }

  /** Replaces the count by what a turn reported: its prompt, and the answer, which follows it. */
  setReported(value: unknown): void {
    const metadata = objectOf(value)
    if (metadata?.["promptTokenCount"] === undefined) return
    const { usage } = readUsage(metadata, { images: "all" })
    this.tokens = {
      text: usage.input + usage.cacheRead + usage.output,
      audio: usage.inputAudio + usage.cacheReadAudio + usage.outputAudio,
      image: usage.inputImage + usage.cacheReadImage,
    }
  }

  private addBlob(blob: Buffer): void {
    const found: Readonly<Record<string, Member>> = findMembers(blob, BLOB)?.found ?? {}
    const { data } = found
    const type = textOf(memberValue(blob, found["mimeType"] ?? found["mime_type"]))
    if (data) this.addMedia(type, data.end - data.start - 2)
  }

  private addMedia(type: string | undefined, base64Length: number): void {
    if (type !== undefined && /^(?:image|video)\//.test(type)) {
      this.add("image", TOKENS_PER_PICTURE)
      return
    }
    const rate = Number(/rate=(\d+)/.exec(type ?? "")?.[1] ?? DEFAULT_RATE)
    const seconds = decodedBytes(base64Length) / (BYTES_PER_SAMPLE * (rate || DEFAULT_RATE))
    this.add("audio", seconds * TOKENS_PER_SECOND)
  }

  private add(modality: keyof ContextTokens, tokens: number): void {
    this.tokens = { ...this.tokens, [modality]: this.tokens[modality] + tokens }
  }
}
