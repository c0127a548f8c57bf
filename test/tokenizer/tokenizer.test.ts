import { afterEach, describe, expect, test } from "vitest"
import { type Countable, NO_READING, toTokenTotals } from "../../src/core/usage.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { countEscaped, countRequest } from "../../src/tokenizer/texts.ts"
import { createTokenizer, type Tokenizer } from "../../src/tokenizer/tokenizer.ts"
import { meterRecording } from "../conformance/judge.ts"
import { type Recording, readRecordings } from "../conformance/recordings.ts"
import { openMeter } from "../support/meter.ts"
import { watchStalls } from "../support/stalls.ts"

const open: Tokenizer[] = []
function start(options: { timeoutMs?: number } = {}): Tokenizer {
  const tokenizer = createTokenizer({ log: () => {}, timeoutMs: 20_000, ...options })
  open.push(tokenizer)
  return tokenizer
}
afterEach(async () => {
  for (const tokenizer of open.splice(0)) await tokenizer.close()
})

/** Returns the reading of a chat stream that was interrupted. */
function cutStream(chunks: readonly string[], request: object, model = "gpt-4o-mini-2024-07-18") {
  const exchange = {
    provider: "openai",
    method: "POST",
    path: "/v1/chat/completions",
    query: "",
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify(request)),
    host: "api.openai.com",
  }
  const meter = openMeter(DIALECTS.openai, exchange, {
    statusCode: 200,
    contentType: "text/event-stream",
  })!
  for (const content of chunks) {
    meter.push(Buffer.from(`data: ${JSON.stringify({ model, choices: [{ delta: { content } }] })}\n\n`))
  }
  return meter.end({ complete: false })
}

const REQUEST = { model: "gpt-4o-mini", stream: true, messages: [{ role: "user", content: "Say hello world" }] }

describe("a stream that was interrupted before its usage", () => {
  test("is counted by the tokenizer of its model, which its row names, and is never exact", async () => {
    const estimate = cutStream(["hello", " world"], REQUEST)
    expect(estimate.raw).toMatchObject({ estimated_from_text: { tokenizer: "characters" } })

    const reading = await start().count(estimate.countable!)

    // 1 for "user", 3 for "Say hello world", 3 for the message, and 3 before the answer.
    expect(reading).toMatchObject({
      source: "estimated",
      raw: { estimated_from_text: { input_tokens: 10, output_tokens: 2, tokenizer: "o200k_base" } },
    })
    expect(toTokenTotals(reading!.parts)).toMatchObject({ inputTokens: 10, outputTokens: 2 })
  })

  test("is counted with the vocabulary of an older model", async () => {
    const reading = await start().count(cutStream(["hello"], REQUEST, "gpt-3.5-turbo-0125").countable!)
    expect(reading?.raw).toMatchObject({ estimated_from_text: { output_tokens: 1, tokenizer: "cl100k_base" } })
  })

  test("never has more tokens than the request or the model allows", async () => {
    const words = Array.from({ length: 300 }, () => " word")
    const limited = cutStream(words, { ...REQUEST, max_completion_tokens: 7 })
    expect(toTokenTotals(limited.parts).outputTokens).toBe(7)
    expect(toTokenTotals((await start().count(limited.countable!))!.parts).outputTokens).toBe(7)
    const flood = Array.from({ length: 5000 }, () => " word word")
    const reading = await start().count(cutStream(flood, REQUEST, "gpt-3.5-turbo").countable!)
    expect(toTokenTotals(reading!.parts).outputTokens).toBe(4096)
  })

  test("is counted in proportion if it has more text than is kept", async () => {
    const words = Array.from({ length: 8000 }, () => " word")
    const reading = await start().count(cutStream(words, REQUEST).countable!)
    expect(toTokenTotals(reading!.parts).outputTokens).toBeGreaterThan(7990)
    expect(toTokenTotals(reading!.parts).outputTokens).toBeLessThan(8010)
  })

  test("is estimated by its length if there is no tokenizer for its model", () => {
    const reading = cutStream(["hello"], REQUEST, "mistral-large")
    expect(reading.countable).toBeUndefined()
    expect(reading.raw).toMatchObject({ estimated_from_text: { tokenizer: "characters" } })
  })
})

describe("counting", () => {
  test("does not block the event loop, whatever the text is, and is aborted in time", async () => {
    const tokenizer = start({ timeoutMs: 300 })
    const countable: Countable = {
      encoding: "o200k_base",
      request: Buffer.from(JSON.stringify({ messages: [{ content: "a".repeat(900_000) }] })),
      output: Buffer.from("b".repeat(16_000)),
      outputScale: 1,
      toReading: () => NO_READING,
    }
    const stalls = watchStalls()
    const results = await Promise.all(Array.from({ length: 200 }, () => tokenizer.count(countable)))
    stalls.stop()
    expect(results).toContain(undefined)
    expect(stalls.longestMs).toBeLessThan(150)
    await tokenizer.settled()
  })

  test("continues after a thread was aborted", async () => {
    const tokenizer = start()
    await tokenizer.close()
    expect(await tokenizer.count(cutStream(["hello"], REQUEST).countable!)).toBeDefined()
  })

  test("accepts escapes, special words and broken JSON", () => {
    const count = (text: string) => text.length
    expect(countEscaped("\\u00e9\\n", count)).toBe(2)
    expect(countEscaped("\\u00", count)).toBe(4)
    expect(countRequest("{", count)).toBeUndefined()
    expect(countRequest("[]", count)).toBeUndefined()
    expect(countRequest('{"input":"abc","instructions":"de"}', count)).toBe(3 + 3 + 3 + 2)
    expect(countRequest('{"prompt":"abc"}', count)).toBe(3)
    expect(countRequest('{"messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}]}', count)).toBe(806)
  })
})

const streams = readRecordings("../shared/corpus")?.filter(
  ({ provider, streaming, expected, kind, response_body }) =>
    provider === "openai" &&
    streaming &&
    kind !== "transcription" &&
    expected.usage_found &&
    // Hidden reasoning, and what the provider writes around a tool call, are not in the text.
    !expected.reasoning_tokens &&
    !/tool_call|_call"|function_call|reasoning"/.test(response_body),
)

/** Returns the recorded stream as if its connection had broken before its usage. */
function withoutUsage(recording: Recording): Recording {
  const events = recording.response_body.split(/(?<=\n\r?\n)/).filter((event) => !/"usage":\s*\{/.test(event))
  return {
    ...recording,
    response_body: events.join(""),
    expected: { ...recording.expected, partial: true },
  }
}

test.skipIf(!streams)(
  "over recorded streams the tokenizer is nearer to what was billed than the length is",
  async () => {
    const tokenizer = start()
    const byLength: number[] = []
    const byTokenizer: number[] = []
    for (const recording of streams as readonly Recording[]) {
      const estimate = meterRecording(withoutUsage(recording), 1400)
      const counted = estimate.countable && (await tokenizer.count(estimate.countable))
      const { outputTokens } = toTokenTotals(estimate.parts)
      if (!counted || outputTokens === 0) continue
      const error = (tokens: number) =>
        Math.abs(tokens - recording.expected.output_tokens) / recording.expected.output_tokens
      byLength.push(error(outputTokens))
      byTokenizer.push(error(toTokenTotals(counted.parts).outputTokens))
    }
    const mean = (errors: readonly number[]) => errors.reduce((sum, error) => sum + error, 0) / errors.length
    const said = `over ${byLength.length} streams: ${mean(byLength)} by length, ${mean(byTokenizer)} by tokenizer`
    expect(byLength.length, said).toBeGreaterThan(5)
    expect(mean(byTokenizer), said).toBeLessThan(mean(byLength))
    if (process.env["MEASURE"]) console.info(`mean error ${said}`)
  },
)
