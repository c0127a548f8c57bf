import { beforeAll, describe, expect, it } from "vitest"
import { createPriceBook, type PriceBook } from "../../../src/pricing/price-book.ts"
import { DIALECTS } from "../../../src/providers/catalog.ts"
import { type Message, type PlayedTurn, playSession, priceTurn } from "../../support/play-session.ts"

const { openai } = DIALECTS
let book: PriceBook
beforeAll(async () => {
  book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
})

const HANDSHAKE = { path: "/v1/realtime", query: "?model=gpt-realtime" }
const from = (event: object): Message => ["provider", { ...event, event_id: "event_1" }]
const client = (event: object): Message => ["client", event]

/** The first events of a session, of today's API. */
function opened({ model = "gpt-realtime-2025-08-28", transcription = {}, format = {} } = {}): Message[] {
  const input = { format: { type: "audio/pcm", rate: 24000, ...format }, transcription }
  const output = { format: { type: "audio/pcm", rate: 24000, ...format }, voice: "marin" }
  const session = { type: "realtime", id: "sess_1", model, instructions: "Be kind.", audio: { input, output } }
  return [from({ type: "session.created", session })]
}

/** 1,000 text (600 cached), 2,000 audio (500 cached) and 100 image tokens in; 50 text and 300 audio tokens out. */
const USAGE = {
  total_tokens: 3450,
  input_tokens: 3100,
  output_tokens: 350,
  input_token_details: {
    text_tokens: 1000,
    audio_tokens: 2000,
    image_tokens: 100,
    cached_tokens: 1140,
    cached_tokens_details: { text_tokens: 600, audio_tokens: 500, image_tokens: 40 },
  },
  output_token_details: { text_tokens: 50, audio_tokens: 300 },
}

/** One second of silence as 24 kHz PCM16, in base64. */
const SECOND = Buffer.alloc(48_000).toString("base64")

interface Options {
  readonly usage?: unknown
  readonly status?: string
  readonly details?: unknown
  readonly conversation?: string | null
}

function events(
  id: string,
  { usage = USAGE, status = "completed", details = null, conversation = "conv_1" }: Options = {},
) {
  const response = { object: "realtime.response", id, conversation_id: conversation }
  const at = { response_id: id, item_id: "item_2", output_index: 0, content_index: 0 }
  return [
    from({ type: "response.created", response: { ...response, status: "in_progress", output: [], usage: null } }),
    from({ type: "response.output_item.added", response_id: id, output_index: 0, item: { id: "item_2" } }),
    from({ type: "response.output_audio_transcript.delta", ...at, delta: "Hello there, how are you?" }),
    from({ type: "response.output_audio.delta", ...at, delta: SECOND }),
    from({ type: "response.done", response: { ...response, status, status_details: details, output: [], usage } }),
  ]
}

const play = (messages: readonly Message[], handshake = HANDSHAKE) => playSession(openai, handshake, messages)
const ids = (turns: readonly PlayedTurn[]) => turns.map(({ turn, statusCode }) => [turn, statusCode])

describe("a Realtime response", () => {
  it("is priced by the rates of its modalities, with the cached tokens of each", () => {
    const [turn] = play([...opened(), client({ type: "response.create" }), ...events("resp_1")])
    expect(turn).toMatchObject({ model: "gpt-realtime", statusCode: 200, messages: 5, firstOutput: 2 })
    expect(turn?.reading.model).toBe("gpt-realtime-2025-08-28")
    expect(turn?.reading.parts[0]?.usage).toMatchObject({
      input: 400,
      cacheRead: 600,
      inputAudio: 1500,
      cacheReadAudio: 500,
      inputImage: 60,
      cacheReadImage: 40,
      output: 50,
      outputAudio: 300,
    })
    // Per million: 400 × 4 + 600 × 0.4 + 1500 × 32 + 500 × 0.4 + 60 × 5 + 40 × 0.5 = 50,360 in; 50 × 16 + 300 × 64 = 20,000 out.
    expect(priceTurn(book, turn!)).toMatchObject({
      status: "exact",
      inputCost: "0.05036",
      outputCost: "0.02",
      totalCost: "0.07036",
    })
  })

  it("is read the same when its row is priced again", () => {
    const [turn] = play([...opened(), ...events("resp_1")])
    const usage = JSON.parse(JSON.stringify(turn?.reading.raw))
    const evidence = {
      method: "GET",
      path: HANDSHAKE.path,
      model: "gpt-realtime",
      usage,
      source: "reported",
      isFree: false,
    } as const
    expect(openai.toReading(evidence).parts[0]?.usage).toEqual(turn?.reading.parts[0]?.usage)
  })

  it("begins by itself when the user has stopped speaking", () => {
    const turns = play([...opened(), ...events("resp_1"), ...events("resp_2")])
    expect(ids(turns)).toEqual([
      ["1", 200],
      ["2", 200],
    ])
    expect(turns[0]?.body).toContain('"model":"gpt-realtime"')
  })

  it("can run beside another one, outside of the conversation", () => {
    const a = events("resp_a")
    const b = events("resp_b", { conversation: null, usage: { ...USAGE, output_tokens: 450 } })
    const create = client({ type: "response.create" })
    const aside = client({ type: "response.create", response: { conversation: "none", max_output_tokens: 20 } })
    const turns = play([
      ...opened(),
      create,
      aside,
      a[0]!,
      b[0]!,
      b[1]!,
      a[1]!,
      a[2]!,
      b[2]!,
      b[3]!,
      a[3]!,
      b[4]!,
      a[4]!,
    ])
    expect(ids(turns)).toEqual([
      ["2", 200],
      ["1", 200],
    ])
    expect(turns.map(({ messages }) => messages)).toEqual([5, 5])
    expect(turns[0]?.reading.parts[0]?.usage.output).toBe(150)
    expect(turns[0]?.body).toContain('"conversation":"none","max_output_tokens":20')
  })

  it("that the user interrupts is billed by its usage", () => {
    const details = { type: "cancelled", reason: "turn_detected" }
    const [turn] = play([...opened(), ...events("resp_1", { status: "cancelled", details })])
    expect(turn).toMatchObject({ statusCode: 200, error: undefined, reading: { source: "reported" } })
  })

  it.each([
    [{ type: "server_error", code: "server_error", message: "Sorry" }, 500],
    [{ type: "invalid_request_error", code: "inference_rate_limit_exceeded", message: "Sorry" }, 429],
  ])("that fails has the status of its error", (error, statusCode) => {
    const details = { type: "failed", error }
    const [created, , , , done] = events("resp_1", { status: "failed", details, usage: null })
    const [turn] = play([...opened(), created!, done!])
    expect(turn).toMatchObject({ statusCode, error: "Sorry" })
    expect(priceTurn(book, turn!)).toMatchObject({ status: "free" })
  })

  it("of the beta is read like that of today", () => {
    const session = { id: "sess_1", model: "gpt-4o-realtime-preview-2024-12-17", output_audio_format: "pcm16" }
    const text = events("resp_1").map(
      ([who, event]): Message => [who, JSON.stringify(event).replace("response.output_audio", "response.audio")],
    )
    const [turn] = play([from({ type: "session.created", session }), ...text], {
      path: "/openai/realtime",
      query: "?api-version=2024-10-01-preview&deployment=voice",
    })
    expect(turn).toMatchObject({ model: "voice", reading: { model: "gpt-4o-realtime-preview-2024-12-17" } })
    // Per million: 400 × 5 + 600 × 2.5 + 1500 × 40 + 500 × 2.5 + 60 × 5 + 40 × 2.5 = 65,150 in; 50 × 20 + 300 × 80 = 25,000 out.
    expect(priceTurn(book, turn!).totalCost).toBe("0.09015")
  })

  it("without a rate for its sound has no cost: sound is never priced as text", async () => {
    const prices = { "my-voice": [{ base: { input: "1", output: "2" }, tiers: [] }] }
    const own = await createPriceBook({
      remoteUrl: "",
      refreshIntervalMs: 1000,
      now: Date.now,
      log: () => {},
      overrides: prices,
    })
    const handshake = { path: "/v1/realtime", query: "?model=my-voice" }
    const [spoken] = play([...opened({ model: "my-voice" }), ...events("resp_1")], handshake)
    expect(priceTurn(own, spoken!)).toMatchObject({
      status: "unpriced",
      totalCost: undefined,
      price: { reason: "no rate for inputAudio of my-voice" },
    })
    const text = { total_tokens: 30, input_tokens: 10, output_tokens: 20, input_token_details: { text_tokens: 10 } }
    const [written] = play([...opened({ model: "my-voice" }), ...events("resp_2", { usage: text })], handshake)
    expect(priceTurn(own, written!)).toMatchObject({ status: "exact", totalCost: "0.00005" })
  })

  it("of a sideband connection to a call has the model that the session states", () => {
    const [turn] = play([...opened(), ...events("resp_1")], { path: "/v1/realtime", query: "?call_id=rtc_1" })
    expect(turn?.model).toBe("gpt-realtime-2025-08-28")
  })
})

describe("an error event", () => {
  const error = (members: object) =>
    from({ type: "error", error: { type: "invalid_request_error", message: "No.", ...members } })

  it("that names the client's event ends the response that it asked for", () => {
    const create = (event_id: string) => client({ type: "response.create", event_id })
    const [turn] = play([...opened(), create("e1"), create("e2"), error({ event_id: "e2" })])
    expect(turn).toMatchObject({ turn: "2", statusCode: 400, error: "No." })
    expect(priceTurn(book, turn!)).toMatchObject({ status: "free" })
  })

  it("about responses ends the one that waits; about anything else it ends none", () => {
    const create = client({ type: "response.create" })
    expect(
      ids(
        play([...opened(), create, error({ code: "conversation_already_has_active_response" }), ...events("resp_1")]),
      ),
    ).toEqual([
      ["1", 400],
      ["2", 200],
    ])
    expect(
      ids(play([...opened(), create, error({ code: "invalid_value", param: "item.id" }), ...events("resp_1")])),
    ).toEqual([["1", 200]])
  })
})

describe("a transcription", () => {
  const transcription = { model: "gpt-4o-transcribe" }
  const at = { item_id: "item_1", content_index: 0 }
  const name = (event: string) => `conversation.item.input_audio_transcription.${event}`
  const tokens = {
    type: "tokens",
    total_tokens: 36,
    input_tokens: 26,
    input_token_details: { text_tokens: 3, audio_tokens: 23 },
    output_tokens: 10,
  }

  it("is a turn of its own, billed by tokens at the rates of its model", () => {
    const turns = play([
      ...opened({ transcription }),
      from({ type: name("delta"), ...at, delta: "Hi" }),
      ...events("resp_1"),
      from({ type: name("completed"), ...at, transcript: "Hi there", usage: tokens }),
    ])
    expect(turns.map(({ turn, model }) => [turn, model])).toEqual([
      ["2", "gpt-realtime"],
      ["1", "gpt-4o-transcribe"],
    ])
    // Per million: 3 × 2.5 + 23 × 2.5 + 10 × 10 = 165.
    expect(priceTurn(book, turns[1]!)).toMatchObject({ status: "exact", totalCost: "0.000165" })
  })

  it("is billed by time where its model is", () => {
    const usage = { type: "duration", seconds: 7.5 }
    const [turn] = play([
      ...opened({ transcription: { model: "whisper-1" } }),
      from({ type: name("completed"), ...at, transcript: "Hi", usage }),
    ])
    expect(turn?.reading.units).toEqual({ audioSeconds: 7.5 })
    expect(priceTurn(book, turn!)).toMatchObject({ status: "exact", totalCost: "0.00075" })
  })

  it("is all that a session for transcriptions has, of today or of the beta", () => {
    const today = { type: "transcription", audio: { input: { transcription } } }
    const beta = { input_audio_format: "pcm16", input_audio_transcription: { model: "gpt-4o-mini-transcribe" } }
    const completed = from({ type: name("completed"), ...at, transcript: "Hi", usage: tokens })
    const handshake = { path: "/v1/realtime", query: "?intent=transcription" }
    expect(play([from({ type: "session.updated", session: today }), completed], handshake)[0]?.model).toBe(
      "gpt-4o-transcribe",
    )
    expect(play([from({ type: "transcription_session.updated", session: beta }), completed], handshake)[0]?.model).toBe(
      "gpt-4o-mini-transcribe",
    )
  })

  it("that fails costs nothing", () => {
    const error = { type: "server_error", code: "audio_unintelligible", message: "What?" }
    const [turn] = play([...opened({ transcription }), from({ type: name("failed"), ...at, error })])
    expect(turn).toMatchObject({ statusCode: 500, error: "What?" })
    expect(priceTurn(book, turn!)).toMatchObject({ status: "free" })
  })

  it("that states no usage, or does not end, is estimated from the length of the sound", () => {
    const spoken: Message[] = [
      from({ type: "input_audio_buffer.speech_started", audio_start_ms: 1000, item_id: "item_1" }),
      from({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 4000, item_id: "item_1" }),
      from({ type: "input_audio_buffer.committed", previous_item_id: null, item_id: "item_1" }),
    ]
    const [silent] = play([
      ...opened({ transcription }),
      ...spoken,
      from({ type: name("completed"), ...at, transcript: "Hi there" }),
    ])
    expect(silent?.reading).toMatchObject({
      source: "estimated",
      parts: [{ usage: { inputAudio: 30, input: 0, output: 2 } }],
    })
    const [cut] = play([
      ...opened({ transcription }),
      ...spoken,
      from({ type: name("delta"), ...at, delta: "Hi there" }),
    ])
    expect(cut?.reading).toMatchObject({ source: "estimated", parts: [{ usage: { inputAudio: 30, output: 2 } }] })
    const [timed] = play([
      ...opened({ transcription: { model: "whisper-1" } }),
      ...spoken,
      from({ type: name("delta"), ...at, delta: "Hi" }),
    ])
    expect(timed?.reading).toMatchObject({ source: "estimated", units: { audioSeconds: 3 } })
    expect(priceTurn(book, timed!)).toMatchObject({ status: "estimated", totalCost: "0.0003" })
  })
})

describe("a response that is cut off", () => {
  it("is estimated from the conversation, the sound and the text: one token per 50 ms of sound", () => {
    const turns = play([...opened(), ...events("resp_1"), ...events("resp_2").slice(0, 4)])
    // The first response's input and output, by modality, are the input of the second one.
    expect(turns[1]).toMatchObject({ turn: "2", statusCode: undefined })
    expect(turns[1]?.reading).toMatchObject({
      source: "estimated",
      parts: [{ usage: { input: 1050, inputAudio: 2300, inputImage: 100, outputAudio: 20, output: 7 } }],
    })
    // Per million: 1050 × 4 + 2300 × 32 + 100 × 5 + 7 × 16 + 20 × 64 = 79,692.
    expect(priceTurn(book, turns[1]!)).toMatchObject({ status: "estimated", totalCost: "0.079692" })
  })

  it("counts what the user said and wrote before it: one token per 100 ms of sound", () => {
    const item = { type: "message", role: "user", content: [{ type: "input_text", text: "x".repeat(400) }] }
    const spoken = { type: "message", role: "user", content: [{ type: "input_audio", audio: SECOND }] }
    const [turn] = play([
      ...opened(),
      client({ type: "input_audio_buffer.append", audio: SECOND }),
      client({ type: "input_audio_buffer.append", audio: SECOND }),
      from({ type: "input_audio_buffer.committed", item_id: "item_1" }),
      client({ type: "conversation.item.create", item }),
      client({ type: "conversation.item.create", item: spoken }),
      ...events("resp_1").slice(0, 2),
    ])
    const usage = turn!.reading.parts[0]!.usage
    expect(usage.inputAudio).toBe(31)
    expect(usage.input).toBeGreaterThanOrEqual(100)
    expect(usage.input).toBeLessThan(120)
  })

  it("knows the length of sound in the formats of telephones", () => {
    const format = { type: "audio/pcmu" }
    const [turn] = play([...opened({ format }), ...events("resp_1").slice(0, 4)])
    // 48,000 bytes are six seconds.
    expect(turn?.reading.parts[0]?.usage.outputAudio).toBe(120)
  })

  it("does not count the conversation if it has an input of its own", () => {
    const create = client({
      type: "response.create",
      response: { conversation: "none", input: [], instructions: "Sum up." },
    })
    const turns = play([...opened(), ...events("resp_1"), create, ...events("resp_2").slice(0, 3)])
    expect(turns[1]?.reading.parts[0]?.usage).toMatchObject({ inputAudio: 0, inputImage: 0 })
    expect(turns[1]?.reading.parts[0]?.usage.input).toBeLessThan(10)
  })
})

describe("a session of translations", () => {
  const handshake = { path: "/v1/realtime/translations", query: "?model=gpt-realtime-translate" }
  const sound: Message[] = [
    client({ type: "session.input_audio_buffer.append", audio: SECOND }),
    from({ type: "session.output_audio.delta", delta: SECOND, elapsed_ms: 29_800 }),
    from({ type: "session.output_transcript.delta", delta: "Hallo", elapsed_ms: 30_000 }),
  ]

  it("is one turn, billed by the length of the sound, which is estimated", () => {
    const [closed] = play([...sound, from({ type: "session.closed" })], handshake)
    expect(closed).toMatchObject({
      model: "gpt-realtime-translate",
      statusCode: 200,
      reading: { units: { audioSeconds: 30 } },
    })
    // Half a minute at 0.034 USD.
    expect(priceTurn(book, closed!)).toMatchObject({ status: "estimated", totalCost: "0.017" })
    expect(play(sound, handshake)[0]).toMatchObject({ statusCode: undefined, reading: { units: { audioSeconds: 30 } } })
  })

  it("begins when translated sound comes, also if the gateway did not see what the client sent", () => {
    const [closed] = play([...sound.slice(1), from({ type: "session.closed" })], handshake)
    expect(closed).toMatchObject({ model: "gpt-realtime-translate", reading: { units: { audioSeconds: 30 } } })
  })

  it("without any translated sound has no known cost", () => {
    const [turn] = play(sound.slice(0, 1), handshake)
    expect(priceTurn(book, turn!)).toMatchObject({ status: "unpriced" })
  })
})

describe("the handshake of a session", () => {
  it("names the model in its address", () => {
    const request = { provider: "openai", method: "GET", headers: {}, body: Buffer.alloc(0), host: "api.openai.com" }
    const prepare = (path: string, query: string) =>
      openai.prepare({ ...request, path, query }, { injectStreamUsage: true })
    expect(prepare("/v1/realtime", "?model=gpt-realtime").requestedModel).toBe("gpt-realtime")
    expect(prepare("/openai/realtime", "?deployment=voice").requestedModel).toBe("voice")
    expect(prepare("/v1/responses", "?model=x").requestedModel).toBeUndefined()
    expect(prepare("/v1/realtime", "?model=gpt-realtime&model=gpt-realtime").requestedModel).toBe("gpt-realtime")
  })

  it("that names two models leaves it to the session, which says which one the provider has taken", () => {
    const request = { provider: "openai", method: "GET", headers: {}, body: Buffer.alloc(0), host: "api.openai.com" }
    for (const query of ["?model=gpt-realtime-mini&model=gpt-realtime", "?model=gpt-realtime-mini&deployment=x"]) {
      const prepared = openai.prepare({ ...request, path: "/v1/realtime", query }, { injectStreamUsage: true })
      expect(prepared.requestedModel).toBeUndefined()
      const asked = [...opened(), client({ type: "response.create" })]
      expect(JSON.parse(play(asked, { path: "/v1/realtime", query })[0]!.body)).toMatchObject({
        model: "gpt-realtime-2025-08-28",
      })
    }
  })

  it("no longer names the model after the provider has changed it", () => {
    const changed = from({ type: "session.updated", session: { type: "realtime", model: "gpt-realtime-mini" } })
    const asked = [...opened(), changed, client({ type: "response.create" })]
    expect(JSON.parse(play(asked)[0]!.body)).toMatchObject({ model: "gpt-realtime-mini" })
    expect(JSON.parse(play([...opened(), ...asked.slice(2)])[0]!.body)).toMatchObject({ model: "gpt-realtime" })
  })

  it("opens at the paths that have sessions, of OpenAI and of Azure, and at no other", () => {
    const { opens } = openai.sockets!
    for (const path of [
      "/v1/responses",
      "/responses",
      "/v1/realtime",
      "/openai/realtime",
      "/openai/v1/realtime",
      "/openai/v1/responses",
    ])
      expect([path, opens(path)]).toEqual([path, true])
    for (const path of [
      "/v1/chat/completions",
      "/v1/realtime/calls",
      "/v1/responses/resp_1",
      "/v1/realtime/client_secrets",
      "/",
    ])
      expect([path, opens(path)]).toEqual([path, false])
  })
})
