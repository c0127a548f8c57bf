import { GoogleGenAI, type LiveServerMessage, Modality } from "@google/genai"
import OpenAI from "openai"
import { ResponsesWS } from "openai/resources/responses/ws"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { WebSocket } from "ws"
import { DIALECTS } from "../../../src/providers/catalog.ts"
import { type FakeSessions, type ProviderSession, startFakeSessions } from "../../support/fake-provider/sockets.ts"
import { playSession } from "../../support/play-session.ts"

let provider: FakeSessions
beforeAll(async () => {
  provider = await startFakeSessions()
})
beforeEach(() => provider.always({}))
afterAll(() => provider.close())

const played = (format: "openai" | "gemini", { url, log }: ProviderSession) => {
  const { pathname, search } = new URL(url, "http://x")
  return playSession(
    DIALECTS[format],
    { path: pathname, query: search },
    log.map(([from, bytes]) => [from, bytes.toString()]),
  )
}

describe("the provider of sessions on our side", () => {
  it("speaks the Responses API with the client of the SDK, and its turns have the usage that it states", async () => {
    const client = new OpenAI({ apiKey: "sk-test", baseURL: `${provider.origin}/v1` })
    const socket = new ResponsesWS(client)
    const ask = (members: object) =>
      new Promise<{ readonly response: OpenAI.Responses.Response }>((resolve) => {
        socket.once("response.completed", resolve)
        socket.send({ type: "response.create", model: "gpt-5.5", input: "Hello there", ...members })
      })
    const first = await ask({})
    const second = await ask({ previous_response_id: first.response.id })
    socket.close()
    const session = await provider.nextSession()
    await session.closed
    expect(session.headers.authorization).toBe("Bearer sk-test")
    const turns = played("openai", session)
    expect(turns.map(({ statusCode }) => statusCode)).toEqual([200, 200])
    const counts = turns.map(({ reading }) => reading.parts[0]!.usage)
    expect(counts.map(({ input }) => input)).toEqual(
      [first, second].map(({ response }) => response.usage!.input_tokens),
    )
    expect(counts.map(({ output }) => output)).toEqual(
      [first, second].map(({ response }) => response.usage!.output_tokens),
    )
  })

  it("speaks Gemini's Live API with the client of the SDK, in binary frames", async () => {
    const client = new GoogleGenAI({ apiKey: "AIza-test", httpOptions: { baseUrl: provider.origin } })
    let end: (message: LiveServerMessage) => void = () => {}
    const ended = new Promise<LiveServerMessage>((resolve) => {
      end = resolve
    })
    const live = await client.live.connect({
      model: "gemini-3.1-flash-live-preview",
      config: { responseModalities: [Modality.AUDIO] },
      callbacks: { onmessage: (message) => message.serverContent?.turnComplete && end(message) },
    })
    live.sendClientContent({ turns: "Hello there", turnComplete: true })
    const { usageMetadata } = await ended
    live.close()
    const session = await provider.nextSession()
    await session.closed
    const [turn] = played("gemini", session)
    expect(turn).toMatchObject({ model: "gemini-3.1-flash-live-preview", statusCode: 200 })
    expect(turn?.reading.parts[0]?.usage).toMatchObject({
      input: usageMetadata?.promptTokenCount,
      outputAudio: usageMetadata?.responseTokenCount,
    })
  })

  it("speaks the Realtime API: what is heard, transcribed and said, by response and transcription", async () => {
    const socket = new WebSocket(`${provider.origin.replace("http", "ws")}/v1/realtime?model=gpt-realtime`, [
      "realtime",
      "openai-insecure-api-key.sk-test",
    ])
    const session = await provider.nextSession()
    const send = (message: object) => socket.send(JSON.stringify(message))
    const seen = (type: string) =>
      new Promise<void>((resolve) => {
        socket.on("message", (data) => JSON.parse(String(data)).type === type && resolve())
      })
    const input = { transcription: { model: "whisper-1" }, turn_detection: { type: "server_vad" } }
    const done = seen("response.done")
    await seen("session.created")
    send({ type: "session.update", session: { type: "realtime", audio: { input } } })
    send({ type: "input_audio_buffer.append", audio: Buffer.alloc(96_000).toString("base64") })
    send({ type: "input_audio_buffer.commit" })
    await done
    socket.close()
    await session.closed
    expect(socket.protocol).toBe("realtime")
    expect(
      played("openai", session).map(({ model, reading }) => [model, reading.parts[0]?.usage.inputAudio, reading.units]),
    ).toEqual([
      ["whisper-1", 0, { audioSeconds: 2 }],
      ["gpt-realtime", 20, {}],
    ])
  })

  it("rejects what it is told to reject, and breaks off where it is told to", async () => {
    provider.always({ status: 429 })
    const client = new OpenAI({ apiKey: "sk-test", baseURL: `${provider.origin}/v1` })
    const rejected = new ResponsesWS(client)
    const error = new Promise<unknown>((resolve) => rejected.once("error", resolve))
    rejected.send({ type: "response.create", model: "gpt-5.5", input: "Hi" })
    expect(await error).toMatchObject({ error: { status: 429 } })
    rejected.close()
    await provider.nextSession()
    provider.always({ breakAfterMessages: 3 })
    const broken = new ResponsesWS(client)
    const closed = new Promise<number>((resolve) => broken.once("close", resolve))
    broken.send({ type: "response.create", model: "gpt-5.5", input: "Hi" })
    expect(await closed).toBe(1006)
    expect((await provider.nextSession()).sent).toHaveLength(3)
  })
})
