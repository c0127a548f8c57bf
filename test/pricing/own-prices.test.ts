import { mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { readYaml } from "../../src/config/file.ts"
import { priceTable } from "../../src/config/prices.ts"
import type { OwnPrices } from "../../src/core/own-prices.ts"
import { NO_READING, NO_USAGE, type Reading, type Usage } from "../../src/core/usage.ts"
import type { PriceBookOptions } from "../../src/pricing/options.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"

const AT = Date.parse("2026-11-20T12:00:00Z")
const MILLION = 1_000_000

function create(options: Partial<PriceBookOptions> = {}): Promise<PriceBook> {
  return createPriceBook({
    remoteUrl: "",
    refreshIntervalMs: 3_600_000,
    now: () => AT,
    log: () => {},
    readYaml,
    ...options,
  })
}

/** Prices as they stand in the settings. */
function prices(table: Record<string, unknown>): OwnPrices {
  return priceTable.parse(table, "") as OwnPrices
}

interface Asked extends Partial<Omit<Reading, "model">> {
  readonly provider?: string
  readonly model?: string | undefined
  readonly requested?: string | undefined
  readonly usage?: Partial<Usage>
  readonly contextTokens?: number
  readonly at?: number
  readonly keyDiscountFactor?: string
}

function ask(book: PriceBook, asked: Asked) {
  const {
    provider = "openai",
    model,
    requested = model,
    usage = { input: MILLION },
    at = AT,
    keyDiscountFactor,
    ...more
  } = asked
  const { contextTokens = 0, ...rest } = more
  const parts = [{ model, usage: { ...NO_USAGE, ...usage }, contextTokens, role: "answer" as const }]
  return book.price({
    provider,
    requestedModel: requested,
    reading: { ...NO_READING, model, source: "reported", parts, ...rest },
    at,
    keyDiscountFactor,
  })
}

async function fileOf(content: unknown, name = "prices.json"): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "own-prices-")), name)
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content))
  return path
}

/** The three places where a user can set a price. */
const PLACES: readonly (readonly [string, (table: Record<string, unknown>) => Promise<Partial<PriceBookOptions>>])[] = [
  ["pricing.overrides", async (table) => ({ overrides: prices(table) })],
  ["a provider's own prices", async (table) => ({ providerPrices: { openai: prices(table) } })],
  ["the price file", async (table) => ({ fallbackFile: await fileOf(table) })],
]

describe.each(PLACES)("a price in %s", (_, place) => {
  test("applies to every snapshot of its model", async () => {
    const book = await create(await place({ "gpt-4o-mini": { input: 0.1, output: 0.5 } }))
    const usage = { input: 1000, output: 500 }
    const cost = ask(book, { model: "gpt-4o-mini-2024-07-18", requested: "gpt-4o-mini", usage })
    expect(cost).toMatchObject({ status: "exact", totalCost: "0.00035" })
  })

  test("of a snapshot has priority over that of its model, and applies to no other snapshot", async () => {
    const book = await create(await place({ "gpt-4o": { input: 1 }, "gpt-4o-2024-08-06": { input: 2 } }))
    const inputOf = (model: string) => ask(book, { model }).totalCost
    expect([inputOf("gpt-4o-2024-08-06"), inputOf("gpt-4o-2024-11-20"), inputOf("gpt-4o")]).toEqual(["2", "1", "1"])
    const other = await create(await place({ "gpt-4o-2024-08-06": { input: 2 } }))
    expect(ask(other, { model: "gpt-4o-2024-11-20" }).totalCost).toBe("2.5")
  })

  test("never applies to another model whose name begins alike", async () => {
    const book = await create(await place({ "gpt-4o": { input: 1 } }))
    const others = ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-4o-2024-05-13", "ft:gpt-4o-2024-08-06:acme::A"]
    expect(others.map((model) => ask(book, { model }).totalCost)).toEqual(["0.15", "0.15", "5", "3.75"])
  })

  test("of the requested name applies to what answered under it", async () => {
    const book = await create(await place({ "our-deployment": { input: 3 } }))
    const cost = ask(book, { model: "gpt-4o-2024-08-06", requested: "our-deployment" })
    expect(cost).toMatchObject({ status: "exact", totalCost: "3" })
  })

  test("of the requested name does not apply to another model that served the request", async () => {
    const book = await create(await place({ "gpt-5": { input: 3 } }))
    expect(ask(book, { model: "gpt-4o-2024-08-06", requested: "gpt-5" }).totalCost).toBe("2.5")
  })

  test("applies to dated names that no list has", async () => {
    const book = await create(await place({ "acme-large": { input: 3 } }))
    expect(ask(book, { model: "acme-large-2026-10-01" })).toMatchObject({ status: "exact", totalCost: "3" })
  })

  test("can have tiers, cached, audio, image and per-piece rates", async () => {
    const book = await create(
      await place({
        "acme-1": {
          input: 1,
          cache_read: 0.1,
          input_audio: 8,
          input_image: 4,
          output: 2,
          web_searches: 0.02,
          tiers: [{ above: 150_000, input: 3, output: 6 }],
        },
      }),
    )
    const usage = { input: MILLION, cacheRead: MILLION, inputAudio: MILLION, inputImage: MILLION }
    expect(ask(book, { model: "acme-1", usage, units: { webSearches: 2 } })).toMatchObject({
      status: "exact",
      totalCost: "13.14",
    })
    const long = { usage: { input: MILLION, output: MILLION }, contextTokens: 150_001 }
    expect(ask(book, { model: "acme-1", ...long }).totalCost).toBe("9")
    expect(ask(book, { model: "acme-1", ...long, contextTokens: 150_000 }).totalCost).toBe("3")
  })

  test("applies in its period only, from its first day and before its last", async () => {
    const book = await create(
      await place({
        "gpt-4o": [
          { input: 2, from: "2026-09-01", to: "2026-10-01" },
          { input: 1, from: "2026-10-01" },
        ],
      }),
    )
    const at = (time: string) => ask(book, { model: "gpt-4o", at: Date.parse(time) }).totalCost
    expect(at("2026-08-31T23:59:59Z")).toBe("2.5")
    expect(at("2026-09-01T00:00:00Z")).toBe("2")
    expect(at("2026-09-30T23:59:59Z")).toBe("2")
    expect(at("2026-10-01T00:00:00Z")).toBe("1")
  })
})

test("the user's long-context tier also applies above the thresholds of other lists", async () => {
  const book = await create({ overrides: prices({ "gpt-5.4": { input: 1, tiers: [{ above: 150_000, input: 3 }] } }) })
  const at = (contextTokens: number) => ask(book, { model: "gpt-5.4", contextTokens }).totalCost
  expect([at(150_000), at(150_001), at(272_001)]).toEqual(["1", "3", "3"])
})

test("the price of a model applies to a deployment of it at Azure", async () => {
  const book = await create({ overrides: prices({ "azure/our-gpt": { input: 2 } }) })
  expect(ask(book, { provider: "azure", model: "gpt-4o-2024-08-06", requested: "our-gpt" }).totalCost).toBe("2")
  expect(ask(book, { provider: "openai", model: "gpt-4o-2024-08-06", requested: "our-gpt" }).totalCost).toBe("2.5")
  const usage = { input: 1000, output: 500 }
  const undeployed = ask(book, { provider: "azure", model: "gpt-4o-2024-08-06", requested: undefined, usage })
  expect(undeployed.totalCost).toBe("0.0075")
})

test("the requested name does not price the advisors and tools of an answer", async () => {
  const book = await create({ overrides: prices({ "our-claude": { input: 1 } }) })
  const usage = { ...NO_USAGE, input: MILLION }
  const parts = [
    { model: "claude-sonnet-5", usage, contextTokens: 0, role: "answer" as const },
    { model: "claude-opus-5", usage, contextTokens: 0, role: "advisor" as const },
  ]
  const cost = ask(book, { provider: "anthropic", model: "claude-sonnet-5", requested: "our-claude", parts })
  expect(cost.price?.lines.map(({ rate }) => rate)).toEqual(["1", "5"])
})

describe("a discount", () => {
  const discounts = { openai: [{ factor: "0.9", from: "2026-10-01" }] }

  test("reduces tokens and fees of its provider in its period", async () => {
    const book = await create({ discounts })
    const asked = { model: "gpt-4o", units: { webSearches: 1 } }
    expect(ask(book, asked)).toMatchObject({ status: "exact", totalCost: "2.259" })
    expect(ask(book, asked).price?.factors).toMatchObject([{ name: "discount", value: "0.9" }])
    expect(ask(book, { ...asked, at: Date.parse("2026-09-30T12:00:00Z") }).totalCost).toBe("2.51")
    expect(ask(book, { provider: "anthropic", model: "claude-opus-5" }).totalCost).toBe("5")
  })

  test("does not reduce the user's own prices, nor what follows from them", async () => {
    const book = await create({
      discounts,
      overrides: prices({ "gpt-4o": { output: 8 }, "gpt-4o-audio": { input: 1 } }),
    })
    const usage = { input: MILLION, output: MILLION, reasoning: MILLION }
    expect(ask(book, { model: "gpt-4o", usage }).totalCost).toBe("18.25")
  })
})

describe("the discount of a key", () => {
  const usage = { input: MILLION, output: MILLION }

  test("reduces tokens and fees of its requests, and of no other request", async () => {
    const book = await create()
    const asked = { model: "gpt-4o", units: { webSearches: 1 } }
    const reduced = ask(book, { ...asked, keyDiscountFactor: "0.875" })
    expect(reduced).toMatchObject({ status: "exact", totalCost: "2.19625" })
    expect(reduced.price?.factors).toMatchObject([{ name: "key discount", value: "0.875" }])
    expect(ask(book, asked)).toMatchObject({ status: "exact", totalCost: "2.51" })
    expect(ask(book, { ...asked, keyDiscountFactor: "0.5" }).totalCost).toBe("1.255")
  })

  test("multiplies with the discount of the provider, and both stand in the certificate", async () => {
    const book = await create({ discounts: { openai: [{ factor: "0.9" }] } })
    const cost = ask(book, { model: "gpt-4o", usage, keyDiscountFactor: "0.8" })
    expect(cost.totalCost).toBe("9")
    expect(cost.price?.factors?.map(({ name, value }) => [name, value])).toEqual([
      ["discount", "0.9"],
      ["key discount", "0.8"],
    ])
    expect(cost.price?.lines.map(({ factor }) => factor)).toEqual(["0.72", "0.72"])
  })

  test("does not reduce the user's own prices, nor what the provider itself charged", async () => {
    const book = await create({ overrides: prices({ "gpt-4o": { output: 8 } }) })
    expect(ask(book, { model: "gpt-4o", usage, keyDiscountFactor: "0.5" }).totalCost).toBe("9.25")
    const reported = { provider: "openrouter", model: "openai/gpt-4o", reportedCostUsd: "0.02", usage }
    expect(ask(book, { ...reported, keyDiscountFactor: "0.5" }).totalCost).toBe("0.02")
  })
})

describe("the price file", () => {
  const priceOf = async (content: unknown, asked: Asked, name?: string) =>
    ask(await create({ fallbackFile: await fileOf(content, name) }), asked)

  test("of the Go gateway has 0 where a cached price is not known, and long tiers in rows of their own", async () => {
    const of = (input: number, output: number, cached: number) => ({
      input_price_per_million: input,
      output_price_per_million: output,
      cached_price_per_million: cached,
    })
    const file = {
      "gemini-3-pro-preview": of(2, 12, 0),
      "gemini-2.5-pro": of(1.25, 10, 0.125),
      "gemini-2.5-pro-200k": of(2.5, 15, 0.25),
      "gpt-3.5-turbo": of(0.5, 1.5, 0),
      "gpt-3.5-turbo-16k": of(3, 4, 0),
    }
    const cached = { provider: "gemini", model: "gemini-3-pro-preview", usage: { cacheRead: 100_000, output: 10 } }
    expect((await priceOf(file, cached)).totalCost).toBe("0.02012")
    const long = { provider: "gemini", model: "gemini-2.5-pro", usage: { input: 300_000, output: 1000 } }
    expect((await priceOf(file, { ...long, contextTokens: 300_000 })).totalCost).toBe("0.765")
    expect((await priceOf(file, { model: "gpt-3.5-turbo", contextTokens: 20_000 })).totalCost).toBe("0.5")
    expect((await priceOf(file, { model: "gpt-3.5-turbo-16k" })).totalCost).toBe("3")
  })

  test("can be LiteLLM's map, in USD per token", async () => {
    const file = {
      sample_spec: { input_cost_per_token: 0, mode: "one of …" },
      "acme-1": {
        input_cost_per_token: 2.5e-7,
        output_cost_per_token: 1e-6,
        cache_read_input_token_cost: 2.5e-8,
        input_cost_per_token_above_200k_tokens: 5e-7,
        litellm_provider: "acme",
        supports_vision: true,
      },
      "xai/grok-99": { input_cost_per_token: 3e-6, output_cost_per_token: 9e-6, litellm_provider: "xai" },
      "dall-e": { input_cost_per_pixel: 1e-8 },
    }
    const usage = { input: MILLION, cacheRead: MILLION }
    expect(await priceOf(file, { model: "acme-1", usage })).toMatchObject({ status: "exact", totalCost: "0.275" })
    expect((await priceOf(file, { model: "acme-1", contextTokens: 200_001 })).totalCost).toBe("0.5")
    expect((await priceOf(file, { provider: "x-ai", model: "grok-99" })).totalCost).toBe("3")
  })

  test("can be a list of llm-prices.com, with its long rows and its history", async () => {
    const row = (id: string, input: number, more: object = {}) => ({
      id,
      vendor: "acme",
      name: id,
      input,
      output: 2,
      input_cached: null,
      ...more,
    })
    const list = { prices: [row("acme-1", 1), row("acme-1-200k", 4, { name: "Acme 1 >200k" })] }
    expect((await priceOf(list, { model: "acme-1", contextTokens: 200_001 })).totalCost).toBe("4")
    const history = {
      prices: [
        row("acme-1", 1, { from_date: null, to_date: "2026-10-01" }),
        row("acme-1", 3, { from_date: "2026-10-01", to_date: null }),
      ],
    }
    const data = {
      vendor: "acme",
      models: [
        {
          id: "acme-1",
          name: "Acme 1",
          price_history: [
            { input: 3, output: 2, input_cached: null, from_date: "2026-10-01", to_date: null },
            { input: 1, output: 2, input_cached: null, from_date: null, to_date: "2026-10-01" },
          ],
        },
      ],
    }
    for (const file of [history, data]) {
      expect((await priceOf(file, { model: "acme-1" })).totalCost).toBe("3")
      expect((await priceOf(file, { model: "acme-1", at: Date.parse("2026-09-30") })).totalCost).toBe("1")
    }
  })

  test("can be YAML, with days as YAML writes them", async () => {
    const yaml = "acme-1:\n  - { input: 1, to: 2026-10-01 }\n  - { input: 3, from: 2026-10-01 }\n"
    expect((await priceOf(yaml, { model: "acme-1" }, "prices.yaml")).totalCost).toBe("3")
    await expect(priceOf("- a\n", { model: "acme-1" }, "prices.yml")).rejects.toThrow("expected settings by name")
  })

  test.each([
    [{ m: { input: 1, from: "soon" } }, "pricing.fallback_file: m.from: expected a day such as 2026-10-01"],
    [{ m: { input: 1, from: "2026-10-01", to: "2026-10-01" } }, "pricing.fallback_file: m: expected `to` after `from`"],
    [
      { m: { input: 1, tiers: [{ input: 2 }] } },
      "pricing.fallback_file: m.tiers[0].above: expected a number of tokens",
    ],
    [{ m: { input: 1, tiers: 3 } }, "pricing.fallback_file: m.tiers: expected a list"],
    [{ m: [{ input: 1 }, { input: -1 }] }, "pricing.fallback_file: m[1].input: expected USD per million tokens"],
  ])("that is wrong is refused with its place: %j", async (content, message) => {
    await expect(priceOf(content, { model: "m" })).rejects.toThrow(message)
  })
})

describe("a price that is far from the known one", () => {
  const linesOf = async (options: Partial<PriceBookOptions>) => {
    const lines: string[] = []
    await create({ ...options, log: (line) => lines.push(line) })
    return lines
  }

  test("is reported at start, with the model and both numbers", async () => {
    expect(await linesOf({ overrides: prices({ "gpt-4o": { input: 0.0000025, output: 0.00001 } }) })).toEqual([
      "pricing.overrides: gpt-4o: input is 0.0000025 USD per million tokens, but the known price is 2.5; check that the price is per million tokens",
    ])
    expect(await linesOf({ fallbackFile: await fileOf({ "anthropic/claude-opus-5": { output: 250 } }) })).toEqual([
      "pricing.fallback_file: anthropic/claude-opus-5: output is 250 USD per million tokens, but the known price is 25; check that the price is per million tokens",
    ])
  })

  test("is accepted without a word if it is within a factor of ten, free, or of another time", async () => {
    const overrides = prices({
      "gpt-4o": { input: 0.3, output: 90 },
      "gpt-4o-mini": { input: 0, output: 0 },
      "gpt-4.1": { input: 0.000002, to: "2026-01-01" },
      "acme-1": { input: 0.000001 },
    })
    expect(await linesOf({ overrides })).toEqual([])
  })

  test("is one of at most five lines, and the rest is counted", async () => {
    const names = ["gpt-4o", "gpt-4.1", "gpt-5", "gpt-5-mini", "gpt-4", "gpt-4o-mini", "o3"]
    const overrides = prices(Object.fromEntries(names.map((name) => [name, { input: 1e-6 }])))
    const lines = await linesOf({ overrides })
    expect(lines).toHaveLength(6)
    expect(lines.at(-1)).toBe("2 more of your prices are far from the known ones")
  })
})
