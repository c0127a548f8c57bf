import { countTokens, promptText } from "./_shape.ts"
import type { SessionApi, SessionPort } from "./sockets.ts"

type Json = Readonly<Record<string, unknown>>

/** 16-bit samples at 24 kHz. */
const BYTES_PER_SECOND = 48_000
const INPUT_TOKENS_PER_SECOND = 10
const OUTPUT_TOKENS_PER_SECOND = 20
/** One piece of a spoken answer. */
const PIECE_SECONDS = 0.25

/**
 * A session of the Realtime API. It counts as OpenAI does: sound in at 10 tokens per second, sound out at 20, text at one
 * token per four characters, and the whole conversation as the input of each response. A committed buffer is transcribed
 * if the session has a transcription model, and answered if it detects turns.
 */
export function createRealtimeSession(port: SessionPort): SessionApi {
  const state = createState(port)
  const { send } = state
  return {
    open() {
      send({ type: "session.created", session: state.session })
    },
    async onMessage(message) {
      switch (message["type"]) {
        case "session.update":
          state.update(message["session"] as Json)
          send({ type: "session.updated", session: state.session })
          return
        case "input_audio_buffer.append":
          state.bufferedBytes += Buffer.from(String(message["audio"]), "base64").length
          return
        case "input_audio_buffer.commit":
          await state.commit()
          return
        case "conversation.item.create":
          state.addItem(message["item"] as Json)
          return
        case "response.create":
          await state.respond((message["response"] ?? {}) as Json, message["event_id"])
          return
        default:
          send(toError(`Invalid value: '${String(message["type"])}'.`, message["event_id"]))
      }
    },
  }
}

function toError(message: string, event: unknown): Json {
  return {
    type: "error",
    error: { type: "invalid_request_error", code: "invalid_value", message, param: null, event_id: event ?? null },
  }
}

function createState(port: SessionPort) {
  let events = 0
  let responses = 0
  let items = 0
  const { searchParams } = port.url
  const model = searchParams.get("model") ?? searchParams.get("deployment") ?? "gpt-realtime"
  const isTranscription = searchParams.get("intent") === "transcription"
  const withId = (event: Json) => ({ event_id: `event_${++events}`, ...event })
  const state = {
    session: {
      id: "sess_1",
      object: "realtime.session",
      type: isTranscription ? "transcription" : "realtime",
      ...(isTranscription ? {} : { model: port.script.model ?? model }),
      audio: {
        input: { format: { type: "audio/pcm", rate: 24000 } },
        output: { format: { type: "audio/pcm", rate: 24000 } },
      },
    } as Json,
    bufferedBytes: 0,
    text: 0,
    audio: 0,
    send: (event: Json) => port.send(withId(event)),
    update(session: Json) {
      const audio = { ...(state.session["audio"] as Json), ...(session["audio"] as Json | undefined) }
      state.session = { ...state.session, ...session, audio }
    },
    addItem(item: Json) {
      state.text += countTokens(promptText(item))
      const named = { id: `item_${++items}`, object: "realtime.item", status: "completed", ...item }
      state.send({ type: "conversation.item.added", previous_item_id: null, item: named })
    },
    async commit() {
      const seconds = state.bufferedBytes / BYTES_PER_SECOND
      const item = `item_${++items}`
      state.audio += Math.ceil(seconds * INPUT_TOKENS_PER_SECOND)
      state.bufferedBytes = 0
      state.send({ type: "input_audio_buffer.committed", previous_item_id: null, item_id: item })
      const input = (state.session["audio"] as Json)["input"] as Json
      const transcription = (input["transcription"] ?? {}) as Json
      if (transcription["model"] !== undefined)
        transcribe(state.send, { item, seconds, model: String(transcription["model"]) })
      if (input["turn_detection"]) await state.respond({}, undefined)
    },
    async respond(asked: Json, event: unknown) {
      const { script } = port
      if (script.status !== undefined) {
        state.send(toError(`The fake provider was told to answer ${script.status}.`, event))
        return
      }
      const id = `resp_${++responses}`
      const answer = toAnswer(port, { asked, id, text: state.text, audio: state.audio })
      if (asked["conversation"] !== "none") {
        state.text += answer.words
        state.audio += answer.sound
      }
      await port.answer(answer.events.map(withId))
    },
  }
  return state
}

function toAnswer(port: SessionPort, of: { asked: Json; id: string; text: number; audio: number }) {
  const { script } = port
  const { asked, id, text, audio } = of
  const isText = Array.isArray(asked["output_modalities"]) && !asked["output_modalities"].includes("audio")
  const spoken = script.text ?? "The fake provider heard you."
  const seconds = isText ? 0 : (script.soundSeconds ?? 0.5)
  const words = countTokens(spoken)
  const sound = Math.ceil(seconds * OUTPUT_TOKENS_PER_SECOND)
  const counts = {
    total_tokens: text + audio + words + sound,
    input_tokens: text + audio,
    output_tokens: words + sound,
    input_token_details: {
      text_tokens: text,
      audio_tokens: audio,
      image_tokens: 0,
      cached_tokens: 0,
      cached_tokens_details: { text_tokens: 0, audio_tokens: 0, image_tokens: 0 },
    },
    output_token_details: { text_tokens: words, audio_tokens: sound },
  }
  const usage = script.usage === false ? null : (script.usage ?? counts)
  const conversation_id = asked["conversation"] === "none" ? null : "conv_1"
  const response = {
    object: "realtime.response",
    id,
    conversation_id,
    output: [],
    status_details: null,
    metadata: asked["metadata"] ?? null,
  }
  const at = { response_id: id, item_id: `item_of_${id}`, output_index: 0, content_index: 0 }
  const kind = isText ? "output_text" : "output_audio_transcript"
  const item = { id: at.item_id, object: "realtime.item", type: "message", role: "assistant", content: [] }
  return {
    words,
    sound,
    events: [
      { type: "response.created", response: { ...response, status: "in_progress", usage: null } },
      {
        type: "response.output_item.added",
        response_id: id,
        output_index: 0,
        item: { ...item, status: "in_progress" },
      },
      ...(spoken.match(/\s*\S+/g) ?? [spoken]).map((delta) => ({ type: `response.${kind}.delta`, ...at, delta })),
      ...soundPieces(seconds).map((delta) => ({ type: "response.output_audio.delta", ...at, delta })),
      { type: "response.output_item.done", response_id: id, output_index: 0, item: { ...item, status: "completed" } },
      { type: "response.done", response: { ...response, status: "completed", usage } },
    ] as Json[],
  }
}

/** Returns silence of this length as base64 pieces. */
export function soundPieces(seconds: number): string[] {
  const bytes = Buffer.alloc(Math.round(seconds * BYTES_PER_SECOND))
  const piece = PIECE_SECONDS * BYTES_PER_SECOND
  return Array.from({ length: Math.ceil(bytes.length / piece) }, (_, at) =>
    bytes.subarray(at * piece, (at + 1) * piece).toString("base64"),
  )
}

function transcribe(send: (event: Json) => void, of: { item: string; seconds: number; model: string }): void {
  const at = { item_id: of.item, content_index: 0 }
  const name = (event: string) => `conversation.item.input_audio_transcription.${event}`
  const audio_tokens = Math.ceil(of.seconds * INPUT_TOKENS_PER_SECOND)
  const tokens = {
    type: "tokens",
    total_tokens: audio_tokens + 2,
    input_tokens: audio_tokens,
    input_token_details: { text_tokens: 0, audio_tokens },
    output_tokens: 2,
  }
  const usage = of.model.includes("whisper") ? { type: "duration", seconds: of.seconds } : tokens
  send({ type: name("delta"), ...at, delta: "Hi there" })
  send({ type: name("completed"), ...at, transcript: "Hi there", usage })
}
