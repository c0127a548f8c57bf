import { beforeAll, describe, expect, it } from "vitest"
import { createRouter } from "../../../src/gateway/route.ts"
import { createPriceBook, type PriceBook } from "../../../src/pricing/price-book.ts"
import { BUILT_IN_PROVIDERS, DIALECTS } from "../../../src/providers/catalog.ts"
import { type Message, type PlayedTurn, playSession, priceTurn } from "../../support/play-session.ts"

const { gemini } = DIALECTS
const PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
let book: PriceBook
beforeAll(async () => {
  book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
})

const client = (message: object): Message => ["client", message]
const from = (message: object): Message => ["provider", message]
const setup = (model = "models/gemini-3.1-flash-live-preview", members: object = {}) => [
  client({ setup: { model, generationConfig: { responseModalities: ["AUDIO"] }, ...members } }),
  from({ setupComplete: { sessionId: "s" } }),
]
const asks = (text = "Hello") =>
  client({ clientContent: { turns: [{ role: "user", parts: [{ text }] }], turnComplete: true } })
const SECOND = Buffer.alloc(48_000).toString("base64")
const sound = (data = SECOND) =>
  from({ serverContent: { modelTurn: { parts: [{ inlineData: { mimeType: "audio/pcm;rate=24000", data } }] } } })

/** 400 text, 100 audio and 20 film tokens in; 60 tokens of sound and 30 of thoughts out. */
const USAGE = {
  promptTokenCount: 520,
  responseTokenCount: 60,
  thoughtsTokenCount: 30,
  totalTokenCount: 580,
  promptTokensDetails: [
    { modality: "TEXT", tokenCount: 380 },
    { modality: "AUDIO", tokenCount: 100 },
    { modality: "VIDEO", tokenCount: 20 },
  ],
  responseTokensDetails: [{ modality: "AUDIO", tokenCount: 60 }],
}
const complete = (usageMetadata: object | undefined = USAGE) =>
  from({ serverContent: { turnComplete: true }, ...(usageMetadata && { usageMetadata }) })

const play = (...messages: Message[]) => playSession(gemini, { path: PATH, provider: "gemini" }, messages)
const price = (turn: PlayedTurn | undefined) => priceTurn(book, turn!, { provider: "gemini" })

describe("a turn of a Live session", () => {
  it("is priced by the rates of its modalities; tokens without a modality are text, and thoughts are output", () => {
    const [turn] = play(...setup(), asks(), sound(), from({ serverContent: { generationComplete: true } }), complete())
    expect(turn).toMatchObject({
      turn: "1",
      model: "gemini-3.1-flash-live-preview",
      statusCode: 200,
      firstOutput: 1,
      messages: 3,
    })
    expect(turn?.reading.parts[0]?.usage).toMatchObject({
      input: 400,
      inputAudio: 100,
      inputImage: 20,
      reasoning: 30,
      outputAudio: 60,
      output: 0,
    })
    // Per million: 400 × 0.75 + 100 × 3 + 20 × 1 = 620 in; 30 × 4.5 + 60 × 12 = 855 out.
    expect(price(turn)).toMatchObject({
      status: "exact",
      inputCost: "0.00062",
      outputCost: "0.000855",
      totalCost: "0.001475",
    })
  })

  it("has the counts of its own: each turn repeats the conversation as its prompt, and the turns are not sums", () => {
    const next = { ...USAGE, promptTokenCount: 600, totalTokenCount: 660 }
    const turns = play(...setup(), asks(), sound(), complete(), asks(), sound(), complete(next))
    expect(turns.map(({ reading }) => reading.parts[0]?.usage.input)).toEqual([400, 480])
  })

  it("of a session that was set up twice names both models, which the policy of a key does not allow", () => {
    const [turn] = play(...setup("models/gemini-a"), ...setup("models/gemini-b"), asks())
    expect(turn!.body).toMatch(/^\{"model":"gemini-a","model":"gemini-b",/)
  })

  it("is read the same when its row is priced again", () => {
    const [turn] = play(...setup(), asks(), sound(), complete())
    const usage = JSON.parse(JSON.stringify(turn?.reading.raw))
    const evidence = {
      method: "GET",
      path: PATH,
      model: turn?.model,
      usage,
      source: "reported",
      isFree: false,
    } as const
    expect(gemini.toReading(evidence).parts).toEqual(turn?.reading.parts)
  })

  it("begins by itself when the model answers what it hears", () => {
    const voice = client({ realtimeInput: { audio: { data: SECOND, mimeType: "audio/pcm;rate=16000" } } })
    const heard = from({ serverContent: { inputTranscription: { text: "Hello" } } })
    const turns = play(...setup(), voice, heard, sound(), complete(), voice, heard, sound(), complete())
    expect(turns.map(({ turn, statusCode, messages }) => [turn, statusCode, messages])).toEqual([
      ["1", 200, 2],
      ["2", 200, 2],
    ])
  })

  it("ends when it is interrupted and complete", () => {
    const interrupted = from({ serverContent: { interrupted: true } })
    const turns = play(...setup(), asks(), sound(), asks("Stop"), interrupted, complete(), sound(), complete())
    expect(turns.map(({ turn, statusCode }) => [turn, statusCode])).toEqual([
      ["1", 200],
      ["2", 200],
    ])
  })

  it("waits for its counts if they come after it, in a message about the session", () => {
    const late = from({ sessionResumptionUpdate: { newHandle: "h", resumable: true }, usageMetadata: USAGE })
    const silent = from({ serverContent: { turnComplete: true } })
    const [turn] = play(...setup(), asks(), sound(), silent, from({ goAway: { timeLeft: "10s" } }), late)
    expect(turn).toMatchObject({ statusCode: 200, messages: 3, reading: { source: "reported" } })
  })

  it("includes the calls of the client's functions, each with its counts", () => {
    const toolCall = { functionCalls: [{ id: "1", name: "weather", args: { city: "Oslo" } }] }
    const asked = { promptTokenCount: 100, responseTokenCount: 10, totalTokenCount: 110 }
    const answered = { ...USAGE, promptTokenCount: 520 }
    const turns = play(
      ...setup(),
      asks(),
      from({ toolCall, usageMetadata: asked }),
      client({ toolResponse: { functionResponses: [{ id: "1", name: "weather", response: { output: "Rain" } }] } }),
      sound(),
      complete(answered),
    )
    expect(turns).toHaveLength(1)
    expect(turns[0]?.reading.parts[0]?.usage).toMatchObject({
      input: 500,
      inputAudio: 100,
      output: 10,
      outputAudio: 60,
      reasoning: 30,
    })
  })

  it("has the counts of its last message if several repeat them", () => {
    const early = from({
      serverContent: { generationComplete: true },
      usageMetadata: { ...USAGE, responseTokenCount: 50 },
    })
    const [turn] = play(...setup(), asks(), sound(), early, complete())
    expect(turn?.reading.parts[0]?.usage).toMatchObject({ input: 400, outputAudio: 60 })
  })

  it("counts what grounding bills", () => {
    const groundingMetadata = { webSearchQueries: ["weather oslo"], searchEntryPoint: { renderedContent: "…" } }
    const [turn] = play(...setup(), asks(), sound(), from({ serverContent: { groundingMetadata } }), complete())
    expect(turn?.reading.units).toEqual({ groundingQueries: 1 })
  })

  it("of an answer in text is priced as text", () => {
    const text = from({ serverContent: { modelTurn: { parts: [{ text: "Hello there" }] } } })
    const usage = {
      promptTokenCount: 100,
      responseTokenCount: 3,
      responseTokensDetails: [{ modality: "TEXT", tokenCount: 3 }],
    }
    const [turn] = play(...setup(), asks(), text, complete(usage))
    expect(turn?.reading.parts[0]?.usage).toMatchObject({ input: 100, output: 3 })
  })

  it("is read from JSON that is written over several lines, as Google sends it", () => {
    const pretty = (value: object): Message => ["provider", JSON.stringify(value, null, 2)]
    const [turn] = play(
      ...setup(),
      asks(),
      pretty({ serverContent: { modelTurn: { parts: [{ inlineData: { mimeType: "audio/pcm", data: SECOND } }] } } }),
      pretty({ serverContent: { turnComplete: true }, usageMetadata: USAGE }),
    )
    expect(turn).toMatchObject({ statusCode: 200, reading: { source: "reported" } })
  })

  it("has no known cost if nobody names the model, as with an ephemeral token that fixes it", () => {
    const [turn] = play(client({ setup: {} }), asks(), sound(), complete())
    expect(turn?.model).toBeUndefined()
    expect(price(turn)).toMatchObject({ status: "unpriced", totalCost: undefined })
  })
})

describe("a client's message", () => {
  const model = "projects/p/locations/us-central1/publishers/google/models/gemini-live-2.5-flash"

  it("names the model of Vertex by its path, and members in either way of writing", () => {
    const [turn] = play(
      ...setup(model),
      client({ client_content: { turns: [{ role: "user", parts: [{ text: "Hi" }] }], turn_complete: true } }),
      sound(),
      complete(),
    )
    expect(turn).toMatchObject({ model: "gemini-live-2.5-flash", statusCode: 200 })
    // Per million: 400 × 0.5 + 100 × 3 + 20 × 0.5 = 510 in; 30 × 2 + 60 × 12 = 780 out.
    expect(price(turn).totalCost).toBe("0.00129")
  })

  it("that is not complete begins no turn", () => {
    expect(
      play(
        ...setup(),
        client({ clientContent: { turns: [], turnComplete: false } }),
        client({ realtimeInput: { text: "Hi" } }),
      ),
    ).toEqual([])
  })

  it("states the limit of the output, which limits read", () => {
    const [turn] = play(...setup(undefined, { generationConfig: { maxOutputTokens: 50 } }), asks(), sound(), complete())
    expect(JSON.parse(turn!.body)).toMatchObject({ generationConfig: { maxOutputTokens: 50 } })
  })
})

describe("a turn that is cut off", () => {
  it("is estimated from the conversation and from 25 tokens per second of sound", () => {
    const turns = play(...setup(), asks(), sound(), complete(), asks("x".repeat(400)), sound(), sound())
    expect(turns[1]).toMatchObject({ turn: "2", statusCode: undefined, reading: { source: "estimated" } })
    const usage = turns[1]!.reading.parts[0]!.usage
    expect(usage).toMatchObject({ inputAudio: 160, inputImage: 20, outputAudio: 50, output: 0 })
    expect(usage.input).toBeGreaterThanOrEqual(500)
    expect(usage.input).toBeLessThan(520)
    expect(price(turns[1])).toMatchObject({ status: "estimated" })
  })

  it("counts what the user said and showed, by the rate of the sound", () => {
    const [turn] = play(
      ...setup(),
      client({ realtimeInput: { audio: { data: SECOND, mimeType: "audio/pcm;rate=16000" } } }),
      client({ realtimeInput: { audio: { data: SECOND, mimeType: "audio/pcm;rate=24000" } } }),
      client({ realtimeInput: { video: { data: "AAAA", mimeType: "image/jpeg" } } }),
      client({ realtime_input: { media_chunks: [{ data: "AAAA", mime_type: "image/png" }] } }),
      sound(),
    )
    // 1.5 s and 1 s of sound, and two pictures.
    expect(turn?.reading.parts[0]?.usage).toMatchObject({ inputAudio: 63, inputImage: 516, outputAudio: 25 })
  })

  it("is complete without counts if the next one begins: it is estimated", () => {
    const silent = from({ serverContent: { turnComplete: true } })
    const turns = play(...setup(), asks(), sound(), silent, asks(), sound(), complete())
    expect(turns.map(({ turn, statusCode, reading }) => [turn, statusCode, reading.source])).toEqual([
      ["1", 200, "estimated"],
      ["2", 200, "reported"],
    ])
  })
})

describe("the handshake", () => {
  const paths = [
    PATH,
    `/${PATH}`,
    "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent",
    "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained",
    "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent",
    "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent",
  ]

  it("opens at the paths of the Live API, and at no other", () => {
    for (const path of paths) expect([path, gemini.sockets?.opens(path)]).toEqual([path, true])
    for (const path of [
      "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateMusic",
      "/v1beta/models",
    ])
      expect([path, gemini.sockets?.opens(path)]).toEqual([path, false])
  })

  it("finds Gemini and Vertex by the path", () => {
    const vertex = {
      name: "vertex",
      format: "gemini",
      baseUrl: "https://us-central1-aiplatform.googleapis.com",
    } as const
    const router = createRouter(DIALECTS, { ...BUILT_IN_PROVIDERS, vertex })
    const find = (path: string) => router.find({ path, query: "", headers: {} }).provider.name
    expect(paths.map(find)).toEqual(["gemini", "gemini", "gemini", "gemini", "vertex", "vertex"])
  })

  it("carries its credential as a key or as an ephemeral token", () => {
    const read = (query: string) => gemini.readCredential({ headers: {}, query })
    expect([read("?key=AIza-1"), read("?access_token=auth_tokens/1")]).toEqual(["AIza-1", "auth_tokens/1"])
  })
})
