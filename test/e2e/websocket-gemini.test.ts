import { GoogleGenAI, type LiveConnectConfig, type LiveServerMessage, Modality, type Session } from "@google/genai"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { expectOneSession, openSessionHouse, type SessionHouse } from "./_websocket-clients.ts"

const MODEL = "gemini-3.1-flash-live-preview"
/** 300 × 0.75 + 100 × 3 + 20 × 4.5 + 40 × 12 USD per million; thoughts are text. */
const USAGE = {
  ...{ promptTokenCount: 400, responseTokenCount: 40, thoughtsTokenCount: 20, totalTokenCount: 460 },
  promptTokensDetails: [
    { modality: "TEXT", tokenCount: 300 },
    { modality: "AUDIO", tokenCount: 100 },
  ],
  responseTokensDetails: [{ modality: "AUDIO", tokenCount: 40 }],
}
const ROW = {
  ...{ provider: "gemini", model: MODEL, input_tokens: 400, output_tokens: 60, reasoning_tokens: 20, status_code: 200 },
  ...{ outcome: "complete", usage_source: "reported", cost_status: "exact", total_cost: 0.001095 },
}

let house: SessionHouse
beforeAll(async () => {
  house = await openSessionHouse("gemini")
})
beforeEach(() => house.provider.always({ usage: USAGE }))
afterAll(() => house?.close())

interface Live {
  readonly session: Session
  /** Resolves with the messages up to the end of the next turn. */
  turn(): Promise<LiveServerMessage[]>
  readonly closed: Promise<{ readonly code: number }>
}

async function connect(
  config: LiveConnectConfig = { responseModalities: [Modality.AUDIO] },
  baseUrl = house.gateway.origin,
): Promise<Live> {
  const client = new GoogleGenAI({ apiKey: house.key, httpOptions: { baseUrl } })
  let messages: LiveServerMessage[] = []
  let end: (all: LiveServerMessage[]) => void = () => {}
  let close: (event: { readonly code: number }) => void
  const closed = new Promise<{ readonly code: number }>((resolve) => {
    close = resolve
  })
  const session = await client.live.connect({
    model: MODEL,
    config,
    callbacks: {
      onmessage(message) {
        messages.push(message)
        if (message.serverContent?.turnComplete) end(messages.splice(0))
      },
      onclose: (event) => close(event),
    },
  })
  messages = []
  return {
    session,
    turn: () =>
      new Promise((resolve) => {
        end = resolve
      }),
    closed,
  }
}

describe("Google's SDK with the Live API, with the gateway key as its API key", () => {
  it("a text and a sound in one session are two rows, priced by the rates of text and audio", async () => {
    const { session, turn, closed } = await connect()
    const first = turn()
    session.sendClientContent({ turns: "Hello there" })
    expect((await first).at(-1)?.usageMetadata).toEqual(USAGE)
    const second = turn()
    session.sendRealtimeInput({
      audio: { data: Buffer.alloc(64_000).toString("base64"), mimeType: "audio/pcm;rate=16000" },
    })
    session.sendRealtimeInput({ audioStreamEnd: true })
    expect((await second).some((message) => message.data !== undefined)).toBe(true)
    session.close()
    await closed
    const rows = await house.nextRows(2)
    expect(rows).toMatchObject([ROW, ROW])
    expect(rows.map((row) => row.raw_metadata["Client"])).toEqual([
      expect.stringMatching(/^google-genai-node\/2\.\d+$/),
      expect.stringMatching(/^google-genai-node\/2\.\d+$/),
    ])
    expectOneSession(rows)
  })

  it("the provider gets its own key in the place of the gateway key", async () => {
    const prefixed = `${house.gateway.origin}/gemini/`
    const { session, turn, closed } = await connect({ responseModalities: [Modality.TEXT] }, prefixed)
    const answer = turn()
    session.sendClientContent({ turns: "Hello there" })
    const texts = (await answer).map((message) => message.serverContent?.modelTurn?.parts?.[0]?.text ?? "")
    expect(texts.join("")).toBe("The fake provider heard you.")
    session.close()
    await closed
    const { headers, url } = house.provider.sessions.at(-1)!
    expect(JSON.stringify([headers, url])).not.toContain("mdm_sk_")
    expect(await house.nextRows(1)).toMatchObject([{ input_tokens: 400, transport: "websocket" }])
  })

  it("a session that the provider breaks off is estimated", async () => {
    house.provider.always({ breakAfterMessages: 2 })
    const { session, closed } = await connect()
    session.sendClientContent({ turns: "Hello there" })
    expect((await closed).code).toBe(1006)
    const [row] = await house.nextRows(1)
    expect(row).toMatchObject({ outcome: "upstream_broke", usage_source: "estimated", cost_status: "estimated" })
    expect(row!["total_cost"]).toBeGreaterThan(0)
  })
})
