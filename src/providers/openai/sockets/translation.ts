import { readMember } from "../../../kit/json/members.ts"
import type { Shape } from "../../../kit/json/prune.ts"
import { QuotedName } from "../../../kit/json/quoted-name.ts"
import type { ProviderRequest } from "../../_dialect.ts"
import type { Collector, Evidence } from "../../_evidence.ts"
import { typeOf } from "../../_socket-message.ts"
import type { SocketReader, TurnBegin, TurnMessage } from "../../_sockets.ts"
import { bytesPerSecond, decodedBytes } from "../../_sound.ts"
import { bytesOf, countOf, type JsonObject, textOf } from "../../_values.ts"
import { findRealtimeModel } from "./asked-model.ts"
import { lengthOfDelta } from "./collector.ts"

const TURN = "1"

/**
 * Reads a session of translations, in which sound goes in and translated sound comes out without turns. The whole session
 * is one turn, from the client's first sound to `session.closed` (the shapes of `openai` 7.59).
 */
export class TranslationReader implements SocketReader {
  private readonly model: string | undefined
  private hasBegun = false

  constructor(handshake: ProviderRequest) {
    this.model = findRealtimeModel(handshake)
  }

  onClient(message: Buffer): TurnBegin | undefined {
    if (this.hasBegun) return undefined
    const type = readMember(message, "type")
    return type === "session.input_audio_buffer.append" ? this.begin() : undefined
  }

  onProvider(message: Buffer): TurnMessage | undefined {
    const type = typeOf(message)
    if (type === undefined || !/^session\..*\.delta$|^session\.closed$/.test(type)) return undefined
    const isEnd = type === "session.closed"
    if (isEnd && !this.hasBegun) return undefined
    // Sound that comes out has gone in, however the client sent it.
    const begins = this.hasBegun ? undefined : this.begin()
    if (isEnd) this.hasBegun = false
    return { turn: TURN, ...(begins && { begins }), isOutput: !isEnd, ...(isEnd && { ends: { statusCode: 200 } }) }
  }

  onRejected(): void {
    this.hasBegun = false
  }

  private begin(): TurnBegin {
    this.hasBegun = true
    return { turn: TURN, body: Buffer.from(JSON.stringify({ model: this.model })) }
  }
}

const ELAPSED = new QuotedName("elapsed_ms")

/**
 * Collects a session of translations. It is billed by the length of the sound, which no event states as usage, so that it
 * is estimated: from the time that the events state, or else from the length of the translated sound.
 */
export class TranslationCollector implements Collector {
  readonly shape: Shape = { elapsed_ms: true }
  private readonly request: ProviderRequest
  private soundBytes = 0
  private elapsedMs = 0

  constructor(request: ProviderRequest) {
    this.request = request
  }

  wants(data: Buffer): boolean {
    if (typeOf(data) === "session.output_audio.delta") this.soundBytes += decodedBytes(lengthOfDelta(data))
    return ELAPSED.isIn(data)
  }

  add(document: JsonObject): void {
    this.elapsedMs = Math.max(this.elapsedMs, countOf(document["elapsed_ms"]) ?? 0)
  }

  evidence(): Evidence {
    const { method, path, body } = this.request
    const seconds = Math.max(this.elapsedMs / 1000, this.soundBytes / bytesPerSecond(undefined))
    return {
      method,
      path,
      model: textOf(readMember(bytesOf(body), "model")),
      usage: seconds > 0 ? { estimated_from_text: { seconds, tokenizer: "sound" } } : undefined,
      source: "estimated",
      isFree: false,
    }
  }
}
