import OpenAI, { AzureOpenAI } from "openai"
import { OpenAIRealtimeWebSocket } from "openai/realtime/websocket"
import { OpenAIRealtimeWS } from "openai/realtime/ws"
import { ResponsesWS } from "openai/resources/responses/ws"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { WebSocket } from "ws"
import {
  AUTHORITY,
  expectOneSession,
  openSessionHouse,
  REALTIME_COST,
  REALTIME_USAGE,
  type SessionHouse,
} from "./_websocket-clients.ts"

/** One of `gpt-5-mini`: 80 × 0.25 + 40 × 0.025 + 30 × 2 USD per million. */
const TOKENS = { input: 120, cached: 40, output: 30, reasoning: 10 }
const RESPONSE = {
  ...{ model: "gpt-5-mini", input_tokens: 120, cached_tokens: 40, output_tokens: 30, reasoning_tokens: 10 },
  ...{ status_code: 200, outcome: "complete", usage_source: "reported", cost_status: "exact" },
}
const RESPONSE_COST = 0.000081

const REALTIME = {
  ...{ model: "gpt-realtime", input_tokens: 200, cached_tokens: 50, output_tokens: 60, status_code: 200 },
  ...{ outcome: "complete", usage_source: "reported", cost_status: "exact" },
}

let house: SessionHouse
let azure: SessionHouse
beforeAll(async () => {
  house = await openSessionHouse("openai")
  azure = await openSessionHouse("azure")
})
beforeEach(() => {
  house.provider.always({})
})
afterEach(() => void vi.unstubAllGlobals())
afterAll(async () => {
  await house?.close()
  await azure?.close()
})

const connectClient = ({ gateway, key }: SessionHouse, options = {}) =>
  new OpenAI({ apiKey: key, baseURL: `${gateway.origin}/v1`, maxRetries: 0, ...options })

/** Resolves with the first argument of the next event. */
function next<T>(emitter: { once(event: never, listener: (value: T) => void): unknown }, event: string): Promise<T> {
  return new Promise((resolve) => emitter.once(event as never, resolve))
}

describe("the OpenAI SDK's WebSocket of the Responses API, with the gateway key as its API key", () => {
  const create = (more = {}) => ({
    type: "response.create" as const,
    model: "gpt-5-mini",
    input: "Hello there",
    ...more,
  })

  it("two responses in one session are two rows, each with the usage that the client got", async () => {
    house.provider.always({ tokens: TOKENS, text: "Hello from far." })
    const socket = new ResponsesWS(connectClient(house))
    const texts: string[] = []
    socket.on("response.output_text.done", ({ text }) => void texts.push(text))
    const ask = (more = {}) => {
      socket.send(create(more))
      return next<OpenAI.Responses.ResponseCompletedEvent>(socket, "response.completed")
    }
    const first = await ask()
    const second = await ask({ previous_response_id: first.response.id })
    const closed = next(socket, "close")
    socket.close()
    await closed
    expect(texts).toEqual(["Hello from far.", "Hello from far."])
    const usage = { input_tokens: 120, output_tokens: 30, input_tokens_details: { cached_tokens: 40 } }
    expect([first.response.usage, second.response.usage]).toMatchObject([usage, usage])
    const rows = await house.nextRows(2)
    expect(rows).toMatchObject([RESPONSE, RESPONSE])
    expect(rows.map((row) => row["total_cost"])).toEqual([RESPONSE_COST, RESPONSE_COST])
    expectOneSession(rows)
  })

  it("a rejected response and the one after it have a row each, and the client gets the provider's error", async () => {
    house.provider.always({ status: 429 })
    const socket = new ResponsesWS(connectClient(house))
    socket.send(create())
    expect(await next(socket, "error")).toMatchObject({
      error: { status: 429, error: { code: "rate_limit_exceeded" } },
    })
    house.provider.always({ tokens: TOKENS })
    socket.send(create())
    await next(socket, "response.completed")
    socket.close()
    const rows = await house.nextRows(2)
    expect(rows).toMatchObject([{ status_code: 429, usage_source: "none", outcome: "complete" }, RESPONSE])
    expectOneSession(rows)
  })

  it("a session that the provider breaks off is estimated, and the client sees the same end", async () => {
    house.provider.always({ breakAfterMessages: 6, text: "Hello from far and away." })
    const socket = new ResponsesWS(connectClient(house))
    socket.send(create())
    expect(await next<number>(socket, "close")).toBe(1006)
    const [row] = await house.nextRows(1)
    expect(row).toMatchObject({ outcome: "upstream_broke", usage_source: "estimated", cost_status: "estimated" })
    expect(row!["total_cost"]).toBeGreaterThan(0)
  })

  it.each([401, 426])(
    "the provider's answer %d to the handshake reaches the client unchanged, with a row",
    async (status) => {
      house.provider.always({ handshakeStatus: status })
      const socket = new ResponsesWS(connectClient(house))
      const error = await next<Error>(socket, "error")
      expect(error.message).toContain(`Unexpected server response: ${status}`)
      expect(await house.nextRows(1)).toMatchObject([{ status_code: status, outcome: "complete" }])
    },
  )
})

describe("the OpenAI SDK's WebSockets of the Realtime API, with the gateway key as its API key", () => {
  it("a text and a transcribed sentence have rows priced by the rates of text and audio", async () => {
    house.provider.always({ usage: REALTIME_USAGE, text: "Hello from far." })
    const client = connectClient(house, { baseURL: `${house.tlsOrigin}/v1` })
    const socket = new OpenAIRealtimeWS({ model: "gpt-realtime", options: { ca: AUTHORITY } }, client)
    await next(socket, "session.created")
    const input = { transcription: { model: "gpt-4o-mini-transcribe" }, turn_detection: null }
    socket.send({ type: "session.update", session: { type: "realtime", audio: { input } } })
    await next(socket, "session.updated")
    socket.send({ type: "response.create", response: { output_modalities: ["text"] } })
    const { response } = await next<OpenAI.Realtime.ResponseDoneEvent>(socket, "response.done")
    expect(response.usage).toEqual(REALTIME_USAGE)
    socket.send({ type: "input_audio_buffer.append", audio: Buffer.alloc(96_000).toString("base64") })
    socket.send({ type: "input_audio_buffer.commit" })
    await next(socket, "conversation.item.input_audio_transcription.completed")
    socket.close()
    const rows = await house.nextRows(2)
    expect(rows).toMatchObject([REALTIME, { model: "gpt-4o-mini-transcribe", input_tokens: 20, output_tokens: 2 }])
    // The transcription: 20 × 1.25 + 2 × 5 USD per million.
    expect(rows.map((row) => row["total_cost"])).toEqual([REALTIME_COST, 0.000035])
    expectOneSession(rows)
  })

  it("a browser's client brings the key as a subprotocol, which the provider does not get", async () => {
    house.provider.always({ usage: REALTIME_USAGE })
    vi.stubGlobal(
      "WebSocket",
      class extends WebSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols, { ca: AUTHORITY })
        }
      },
    )
    const client = connectClient(house, { baseURL: `${house.tlsOrigin}/v1` })
    const socket = new OpenAIRealtimeWebSocket({ model: "gpt-realtime" }, client)
    await next(socket, "session.created")
    socket.send({ type: "response.create" })
    await next(socket, "response.done")
    expect(socket.socket.protocol).toBe("realtime")
    const closed = new Promise((resolve) => socket.socket.addEventListener("close", resolve))
    socket.close()
    await closed
    const { headers, url } = house.provider.sessions.at(-1)!
    expect(JSON.stringify([headers, url])).not.toContain(house.key)
    const rows = await house.nextRows(1)
    expect(rows).toMatchObject([{ ...REALTIME, total_cost: REALTIME_COST }])
    expectOneSession(rows)
  })

  it("Azure's client is metered by the model that the session names", async () => {
    azure.provider.always({ usage: REALTIME_USAGE, model: "gpt-realtime" })
    const client = new AzureOpenAI({
      ...{ apiKey: azure.key, apiVersion: "2025-04-01-preview", deployment: "voice", endpoint: azure.tlsOrigin },
    })
    const socket = await OpenAIRealtimeWS.azure(client, { options: { ca: AUTHORITY } })
    await next(socket, "session.created")
    socket.send({ type: "response.create" })
    await next(socket, "response.done")
    socket.close()
    const rows = await azure.nextRows(1)
    expect(rows).toMatchObject([{ ...REALTIME, provider: "azure", request_path: "/openai/realtime" }])
    expect(rows[0]!["total_cost"]).toBe(REALTIME_COST)
    expectOneSession(rows)
  })
})
