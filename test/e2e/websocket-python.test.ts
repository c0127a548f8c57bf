import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { AUTHORITY_FILE, expectOneSession, openSessionHouse, type SessionHouse } from "./_websocket-clients.ts"

/** A Python with `openai[realtime]` and `google-genai`, as for the guides. */
const PYTHON = process.env["DOCS_PYTHON"]

const RESPONSES = `
import json, os
from openai import OpenAI

client = OpenAI(api_key=os.environ["KEY"], base_url=os.environ["ORIGIN"] + "/v1")
with client.responses.connect() as connection:
    for _ in range(2):
        connection.response.create(model="gpt-5-mini", input="Hello there")
        for event in connection:
            if event.type == "response.completed":
                print(json.dumps([event.response.usage.input_tokens, event.response.usage.output_tokens]))
                break
`

const REALTIME = `
import asyncio, json, os
from openai import AsyncOpenAI

async def main():
    client = AsyncOpenAI(api_key=os.environ["KEY"], base_url=os.environ["ORIGIN"] + "/v1")
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.response.create(response={"output_modalities": ["audio"]})
        async for event in connection:
            if event.type == "response.done":
                print(json.dumps([event.response.usage.input_tokens, event.response.usage.output_tokens]))
                break

asyncio.run(main())
`

const LIVE = `
import asyncio, json, os
from google import genai

async def main():
    client = genai.Client(api_key=os.environ["KEY"], http_options={"base_url": os.environ["ORIGIN"]})
    config = {"response_modalities": ["AUDIO"]}
    async with client.aio.live.connect(model="gemini-3.1-flash-live-preview", config=config) as session:
        await session.send_client_content(turns={"role": "user", "parts": [{"text": "Hello there"}]})
        async for message in session.receive():
            if message.usage_metadata:
                usage = message.usage_metadata
                print(json.dumps([usage.prompt_token_count, usage.response_token_count]))

asyncio.run(main())
`

const REALTIME_USAGE = {
  ...{ total_tokens: 260, input_tokens: 200, output_tokens: 60 },
  input_token_details: { text_tokens: 120, audio_tokens: 80, cached_tokens: 0 },
  output_token_details: { text_tokens: 20, audio_tokens: 40 },
}
const LIVE_USAGE = {
  ...{ promptTokenCount: 400, responseTokenCount: 40, totalTokenCount: 440 },
  promptTokensDetails: [{ modality: "TEXT", tokenCount: 400 }],
  responseTokensDetails: [{ modality: "AUDIO", tokenCount: 40 }],
}

describe.skipIf(!PYTHON)("clients in Python, when DOCS_PYTHON names one", () => {
  let openai: SessionHouse
  let gemini: SessionHouse
  beforeAll(async () => {
    openai = await openSessionHouse("openai")
    gemini = await openSessionHouse("gemini")
  })
  afterAll(async () => {
    await openai?.close()
    await gemini?.close()
  })

  /** Runs a program, and returns the counts of tokens that it printed. */
  async function run(program: string, { key }: SessionHouse, origin: string): Promise<number[][]> {
    const env = { PATH: process.env["PATH"], KEY: key, ORIGIN: origin, SSL_CERT_FILE: AUTHORITY_FILE }
    const { stdout } = await promisify(execFile)(PYTHON!, ["-c", program], { env })
    const lines = stdout.trim().split("\n")
    return lines.map((line) => JSON.parse(line))
  }

  it("OpenAI's client of the Responses API: two responses are two rows", async () => {
    openai.provider.always({ tokens: { input: 120, cached: 40, output: 30 } })
    expect(await run(RESPONSES, openai, openai.gateway.origin)).toEqual([
      [120, 30],
      [120, 30],
    ])
    const rows = await openai.nextRows(2)
    // 80 × 0.25 + 40 × 0.025 + 30 × 2 USD per million.
    const row = { model: "gpt-5-mini", input_tokens: 120, cached_tokens: 40, output_tokens: 30, total_cost: 0.000081 }
    expect(rows).toMatchObject([row, row])
    expect(rows.map(({ raw_metadata }) => raw_metadata["Client"])).toEqual(Array(2).fill(expect.stringMatching(OPENAI)))
    expectOneSession(rows)
  })

  it("OpenAI's asynchronous client of the Realtime API: sound and text have rates of their own", async () => {
    openai.provider.always({ usage: REALTIME_USAGE })
    expect(await run(REALTIME, openai, openai.gateway.origin)).toEqual([[200, 60]])
    const rows = await openai.nextRows(1)
    // 120 × 4 + 80 × 32 + 20 × 16 + 40 × 64 USD per million.
    expect(rows).toMatchObject([{ model: "gpt-realtime", input_tokens: 200, output_tokens: 60, total_cost: 0.00592 }])
    expect(rows[0]!.raw_metadata["Client"]).toMatch(OPENAI)
    expectOneSession(rows)
  })

  it("Google's client of the Live API: sound and text have rates of their own", async () => {
    gemini.provider.always({ usage: LIVE_USAGE })
    // It uses TLS whatever its base URL says.
    expect(await run(LIVE, gemini, gemini.tlsOrigin)).toEqual([[400, 40]])
    const rows = await gemini.nextRows(1)
    // 400 × 0.75 + 40 × 12 USD per million.
    expect(rows).toMatchObject([{ provider: "gemini", input_tokens: 400, output_tokens: 40, total_cost: 0.00078 }])
    expect(rows[0]!.raw_metadata["Client"]).toMatch(/^google-genai-python\/\d/)
    expectOneSession(rows)
  })
})

const OPENAI = /^openai-python\/\d/
