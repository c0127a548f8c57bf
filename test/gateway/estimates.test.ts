import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Estimate } from "../../src/core/limit-reservation.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { createFakeLimits, type FakeLimits } from "../support/fake-limits.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

let fakeProvider: FakeProvider
let gateway: Pipeline
let book: PriceBook
let limits: FakeLimits
let factor: string | undefined
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  book = await createPriceBook({
    remoteUrl: "",
    refreshIntervalMs: 1000,
    now: Date.now,
    log: () => {},
  })
  limits = createFakeLimits()
  gateway = await startPipeline({
    upstream: fakeProvider.origin,
    price: book.price,
    findCaller: () => ({ keyId: "00000000-0000-7000-8000-000000000001", discountFactor: factor }),
    deps: { limits, pricesVersion: book.version, boundsOf: book.boundsOf },
  })
})
afterAll(async () => {
  await gateway.close()
  await book.close()
  await fakeProvider.close()
})

interface Asked {
  readonly path?: string
  readonly body: Readonly<Record<string, unknown>> | string
}

/** Returns what a request may use, as limits learn it. */
async function estimate(
  kind: "expected" | "maximum",
  { path = "/v1/chat/completions", body }: Asked,
): Promise<Estimate> {
  let found: Estimate | undefined
  limits.decide = (request) => {
    found = request.estimate(kind)
  }
  const answer = await fetch(gateway.origin + path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-majordomo-key": KEY },
    body: typeof body === "string" ? body : JSON.stringify(body),
  })
  await answer.text()
  await gateway.nextRecord()
  return found!
}

const messages = [{ role: "user", content: "Tell me a story about a gateway." }]
const chat = { model: "gpt-4o-mini", messages }
/** gpt-4o-mini: 0.15 and 0.60 USD per million tokens. */
const IN = 150
const OUT = 600

describe("the expected use", () => {
  test("is the input by its length, and the output that is usual, at the usual rates", async () => {
    const { inputTokens, outputTokens, cost } = await estimate("expected", { body: chat })
    expect(inputTokens).toBeGreaterThan(8)
    expect(inputTokens).toBeLessThan(30)
    expect(outputTokens).toBe(1000)
    expect(cost).toBe(inputTokens * IN + 1 + outputTokens * OUT + 1)
  })

  test("is never more output than the request allows", async () => {
    expect(await estimate("expected", { body: { ...chat, max_tokens: 7 } })).toMatchObject({ outputTokens: 7 })
  })

  test("is what the key and the model are known to use", async () => {
    limits.expectedOutput = (_, model) => (model === "gpt-4o-mini" ? 123 : undefined)
    expect(await estimate("expected", { body: chat })).toMatchObject({ outputTokens: 123 })
    expect(await estimate("expected", { body: { ...chat, model: "gpt-4o" } })).toMatchObject({ outputTokens: 1000 })
    limits.expectedOutput = () => undefined
  })

  test("has the discount of the key, and the tier that the request asks for", async () => {
    const usual = await estimate("expected", { body: { ...chat, model: "gpt-4o", max_tokens: 100 } })
    expect(usual.cost).toBe(usual.inputTokens * 2500 + 100 * 10_000 + 2)
    const { cost: full } = await estimate("expected", { body: { ...chat, model: "gpt-5", max_tokens: 100 } })
    const { cost: flex } = await estimate("expected", {
      body: { ...chat, model: "gpt-5", max_tokens: 100, service_tier: "flex" },
    })
    expect(flex! / full!).toBeCloseTo(0.5, 1)
    factor = "0.5"
    const { cost: discounted } = await estimate("expected", { body: { ...chat, model: "gpt-5", max_tokens: 100 } })
    factor = undefined
    expect(discounted! / full!).toBeCloseTo(0.5, 1)
  })

  test("is proportional for long texts, whose beginning is counted", async () => {
    const content = "The quick brown fox jumps over the lazy dog. ".repeat(5000)
    const { inputTokens } = await estimate("expected", { body: { ...chat, messages: [{ role: "user", content }] } })
    expect(inputTokens).toBeCloseTo(content.length / 4, -3)
  })

  test("of a body that names its model twice is that of the last one, in whatever order they stand", async () => {
    for (const [first, last] of [
      ["gpt-4o", "gpt-4o-mini"],
      ["gpt-4o-mini", "gpt-4o"],
    ] as const) {
      const members = `"messages":${JSON.stringify(messages)},"max_tokens":100`
      const twice = await estimate("expected", { body: `{"model":"${first}",${members},"model":"${last}"}` })
      const rate = last === "gpt-4o" ? 10_000 : OUT // 100 tokens of output cost more than the input
      expect(twice.cost).toBeGreaterThanOrEqual(100 * rate)
      expect(twice.cost).toBeLessThan(110 * rate)
    }
  })

  test("of a model without a price has no cost", async () => {
    expect((await estimate("expected", { body: { ...chat, model: "no-such-model" } })).cost).toBeUndefined()
  })
})

describe("the maximum", () => {
  test.each([
    ["a limit that occurs twice", '"max_tokens":9000,"max_tokens":1', 16_384],
    ["a limit in another case", '"max_tokens":1,"Max_Tokens":9000', 16_384],
    ["a number of answers that occurs twice", '"max_tokens":100,"n":128,"n":1', 12_800],
    ["the limit of another API", '"max_tokens":100,"generationConfig":{"maxOutputTokens":1}', 100],
    [
      "a limit of Gemini's that occurs twice",
      '"generationConfig":{"maxOutputTokens":9000,"maxOutputTokens":1}',
      16_384,
    ],
  ])("is not lowered by %s", async (_, members, outputTokens) => {
    const body = `{"model":"gpt-4o-mini","messages":[],${members}}`
    expect(await estimate("maximum", { body })).toMatchObject({ outputTokens })
  })

  test.each<[string, Asked, number]>([
    ["max_tokens of chat", { body: { ...chat, max_tokens: 64 } }, 64],
    ["max_completion_tokens of chat", { body: { ...chat, max_completion_tokens: 64, n: 3 } }, 192],
    [
      "max_output_tokens of responses",
      { path: "/v1/responses", body: { model: "gpt-5", input: "hi", max_output_tokens: 50 } },
      50,
    ],
    [
      "best_of of completions, for each prompt",
      {
        path: "/v1/completions",
        body: { model: "gpt-3.5-turbo-instruct", prompt: ["a", "b"], max_tokens: 5, best_of: 4 },
      },
      40,
    ],
    [
      "max_tokens of messages",
      { path: "/v1/messages", body: { model: "claude-sonnet-4-5", max_tokens: 77, messages } },
      77,
    ],
    [
      "maxOutputTokens of Gemini",
      {
        path: "/v1beta/models/gemini-2.5-flash:generateContent",
        body: {
          contents: [],
          generationConfig: {
            maxOutputTokens: 30,
            candidateCount: 2,
            responseSchema: { description: "x".repeat(9000) },
          },
        },
      },
      60,
    ],
    [
      "maxTokens of Converse",
      {
        path: "/model/anthropic.claude-3-haiku-20240307-v1:0/converse",
        body: { messages: [], inferenceConfig: { maxTokens: 20 } },
      },
      20,
    ],
    ["the model, where the request states nothing", { body: chat }, 16_384],
    [
      "the context window of a model whose output is not known",
      { body: { ...chat, model: "mistral-large-latest" } },
      128_000,
    ],
    ["128,000 where nothing is known", { body: { ...chat, model: "no-such-model" } }, 128_000],
    [
      "nothing, of an embedding",
      { path: "/v1/embeddings", body: { model: "text-embedding-3-small", input: "a text" } },
      0,
    ],
  ])("of the output is that of %s", async (_, asked, tokens) => {
    expect(await estimate("maximum", asked)).toMatchObject({ outputTokens: tokens })
  })

  test("of the input is the bytes of the body, up to the context window", async () => {
    const length = JSON.stringify(chat).length
    expect(await estimate("maximum", { body: chat })).toMatchObject({ inputTokens: length + 1000 })
    const long = { ...chat, messages: [{ role: "user", content: "x".repeat(300_000) }] }
    expect(await estimate("maximum", { body: long })).toMatchObject({ inputTokens: 128_000 })
  })

  test.each<[string, object]>([
    ["an earlier response", { previous_response_id: "resp_1" }],
    ["a file", { messages: [{ role: "user", content: [{ type: "file", file: { file_id: "file-1" } }] }] }],
    [
      "a document by its address",
      { messages: [{ role: "user", content: [{ type: "document", source: { type: "url" } }] }] },
    ],
    ["a tool of the provider", { tools: [{ type: "web_search_20250305", name: "web_search" }] }],
    ["a stored prompt", { prompt: { id: "pmpt_1" } }],
  ])("of the input is the context window if the body names %s", async (_, more) => {
    expect(await estimate("maximum", { body: { ...chat, ...more } })).toMatchObject({ inputTokens: 128_000 })
  })

  test("of the input does not grow by such words in texts, or by members that are null", async () => {
    const body = {
      ...chat,
      previous_response_id: null,
      messages: [
        { role: "user", content: "document" },
        { role: "user", content: "file_id" },
      ],
    }
    expect(await estimate("maximum", { body })).toMatchObject({ inputTokens: JSON.stringify(body).length + 1000 })
  })

  test("of a picture is that of a large one, however small its file is", async () => {
    const part = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } }
    const body = { ...chat, model: "gpt-4.1", messages: [{ role: "user", content: [part] }] }
    const { inputTokens } = await estimate("maximum", { body })
    expect(inputTokens).toBeGreaterThan(50_000)
    expect(inputTokens).toBeLessThan(200_000)
  })

  test("has the dearest rates: of the priority tier, of long prompts, of a region, of a cache for an hour", async () => {
    const { inputTokens, cost } = await estimate("maximum", { body: { ...chat, model: "gpt-5", max_tokens: 100 } })
    // gpt-5: 1.25 and 10 USD per million, twice that with priority, 10 % more in a region.
    expect(cost).toBeGreaterThanOrEqual(inputTokens * 1250 * 2.2 + 100 * 10_000 * 2.2)
    expect(cost).toBeLessThan(2 * inputTokens * 1250 * 2.2 + 100 * 10_000 * 2.3)
    const body = { model: "claude-sonnet-4-5", max_tokens: 100, messages }
    const claude = await estimate("maximum", { path: "/v1/messages", body })
    expect(claude.cost).toBeGreaterThan(claude.inputTokens * 6000 + 100 * 15_000)
  })
})

describe("work that is billed by the piece", () => {
  test.each<[string, Asked, number]>([
    ["pictures", { path: "/v1/images/generations", body: { model: "dall-e-3", prompt: "a house", n: 2 } }, 0.08],
    ["speech", { path: "/v1/audio/speech", body: { model: "tts-1", input: "Hello there" } }, 0.000165],
    [
      "films",
      { path: "/v1/videos", body: { model: "sora-2", prompt: "a house", seconds: "4", size: "1280x720" } },
      0.4,
    ],
  ])("has the price of its %s", async (_, asked, usd) => {
    for (const kind of ["expected", "maximum"] as const) {
      expect(Number((await estimate(kind, asked)).cost) / 1e9).toBeCloseTo(usd, 5)
    }
  })

  test("is not estimated where it is a job: the least amount is reserved", async () => {
    const asked = { path: "/v1/messages/batches", body: { requests: [] } }
    expect(await estimate("maximum", asked)).toEqual({ inputTokens: 1, outputTokens: 1, cost: 1 })
  })
})
