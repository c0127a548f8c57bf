import { readdirSync, readFileSync } from "node:fs"
import { afterEach, describe, expect, test, vi } from "vitest"
import { startFakeProvider } from "../support/fake-provider.ts"
import { KEY, startPipeline } from "../support/pipeline.ts"

const SRC = new URL("../../src/", import.meta.url)
/** The files that run for each request or chunk, except the ledger. */
const HOT = ["gateway", "providers"]
const PIECES = 3000
/** How much of a metered stream may pass through the JSON parser: its first and last events, but not all in between. */
const PARSED_SHARE = 0.05

describe("the hot path", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  test("never blocks on the disk or a child process: it makes no synchronous calls of node", () => {
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
    // A short response (up to 16 KiB) is decompressed synchronously, because that is faster than creating a decoder.
    expect(found).toEqual(["gateway/decode.ts: gunzipSync", "gateway/decode.ts: brotliDecompressSync"])
  })

  test.each([
    ["OpenAI", "/v1/chat/completions", { stream: true, stream_options: { include_usage: true } }],
    ["Anthropic", "/v1/messages", { stream: true, max_tokens: 100 }],
    ["Gemini", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", {}],
  ])("a stream from %s is metered without parsing all of it", async (_name, path, more) => {
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
