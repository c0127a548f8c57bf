import { readdirSync, readFileSync } from "node:fs"
import { afterEach, describe, expect, test, vi } from "vitest"
import { startFakeProvider } from "../support/fake-provider.ts"
import { KEY, startPipeline } from "../support/pipeline.ts"

const SRC = new URL("../../src/", import.meta.url)
/** What runs for each request or piece, but for the ledger. */
const HOT = ["gateway", "providers"]
const PIECES = 3000
/** Of a stream that is metered, this much may go through the parser: its first and last events, not all between. */
const PARSED_SHARE = 0.05

describe("the hot path", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  test("never waits for the disk or for a child: no synchronous call of node's", () => {
    const files = HOT.flatMap((room) =>
      readdirSync(new URL(`${room}/`, SRC), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => `${room}/${name}`),
    )
    expect(files.length).toBeGreaterThan(20)
    const found = files.flatMap((path) => {
      const text = readFileSync(new URL(path, SRC), "utf8")
      const calls = [...text.matchAll(/\b(\w+Sync)\(|from "(node:(?:fs|child_process)[^"]*)"/g)]
      return calls.map(([, call, module]) => `${path}: ${call ?? module}`)
    })
    // A short answer, 16 KiB at most, is decoded at once: that takes less time than a decoder of its own.
    expect(found).toEqual(["gateway/decode.ts: gunzipSync", "gateway/decode.ts: brotliDecompressSync"])
  })

  test.each([
    ["OpenAI", "/v1/chat/completions", { stream: true, stream_options: { include_usage: true } }],
    ["Anthropic", "/v1/messages", { stream: true, max_tokens: 100 }],
    ["Gemini", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", {}],
  ])("a stream of %s is metered without parsing all of it", async (_name, path, more) => {
    const fakeProvider = await startFakeProvider()
    fakeProvider.always({ pieces: PIECES })
    const pipeline = await startPipeline({ upstream: fakeProvider.origin })
    try {
      const body = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }], ...more })
      const parse = JSON.parse
      const headers = { "content-type": "application/json", "x-majordomo-key": KEY, authorization: "Bearer sk-test" }
      const answer = await fetch(`${pipeline.origin}${path}`, { method: "POST", headers, body })
      let parsed = 0
      vi.spyOn(JSON, "parse").mockImplementation((text: string, ...rest) => {
        parsed += text.length
        return parse(text, ...rest) as unknown
      })
      const bytes = (await answer.arrayBuffer()).byteLength
      const record = await pipeline.nextRecord()
      expect(bytes).toBeGreaterThan(PIECES * 50)
      expect(record).toMatchObject({ outcome: "complete", usage_source: "reported" })
      expect(parsed, "the parser is watched").toBeGreaterThan(0)
      expect(parsed / bytes).toBeLessThan(PARSED_SHARE)
    } finally {
      await pipeline.close()
      await fakeProvider.close()
    }
  })
})
