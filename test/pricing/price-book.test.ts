import { mkdtemp, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import packageJson from "../../package.json" with { type: "json" }
import type { Rates } from "../../src/core/cost.ts"
import type { OwnPrice } from "../../src/core/own-prices.ts"
import { NO_READING, NO_USAGE, type Reading, type Usage } from "../../src/core/usage.ts"
import type { PriceBookOptions } from "../../src/pricing/options.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { bodyOf, listedRow } from "./_list.ts"

const AT = Date.parse("2026-11-20T12:00:00Z")

function create(options: Partial<PriceBookOptions> = {}): Promise<PriceBook> {
  return createPriceBook({ remoteUrl: "", refreshIntervalMs: 3_600_000, now: () => AT, log: () => {}, ...options })
}

function own(base: Rates): readonly OwnPrice[] {
  return [{ base, tiers: [] }]
}

interface Asked extends Partial<Omit<Reading, "model">> {
  readonly provider?: string
  readonly model?: string | undefined
  readonly requested?: string | undefined
  readonly usage?: Partial<Usage>
  readonly contextTokens?: number
  readonly at?: number
}

function ask(book: PriceBook, asked: Asked) {
  const { provider = "openai", model, requested = model, usage = { input: 1_000_000 }, at = AT, ...more } = asked
  const { contextTokens = 0, ...rest } = more
  const parts = [{ model, usage: { ...NO_USAGE, ...usage }, contextTokens, role: "answer" as const }]
  const reading: Reading = { ...NO_READING, model, source: "reported", parts, ...rest }
  return book.price({ provider, requestedModel: requested, reading, at })
}

async function fileOf(content: unknown): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), "prices-")), "file.json")
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content))
  return path
}

test("the bundled data has the version to which BUNDLED_DATE belongs", () => {
  // After an update, set BUNDLED_DATE in src/pricing/bundled.ts to the day of the new data, and then this version.
  expect(packageJson.devDependencies["@pydantic/genai-prices"]).toBe("0.1.8")
})

describe("with the bundled data only", () => {
  let book: PriceBook
  beforeAll(async () => {
    book = await create()
  })

  test.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
    "a model, a tier and a provider whose name every object has are not known: %s",
    (name) => {
      for (const provider of ["openai", "anthropic", "gemini", "bedrock", "mistral", name]) {
        expect(ask(book, { provider, model: name }).status).toBe("unpriced")
        expect(
          ask(book, { provider, model: "gpt-4o", requested: name, tier: name, speed: name, geo: name }).status,
        ).toMatch(/^(?:exact|estimated|unpriced)$/)
      }
    },
  )

  test("the price book has more than 1,600 models", () => {
    expect(book.modelCount()).toBeGreaterThan(1600)
    expect(book.models().length).toBeGreaterThan(1500)
  })

  test("the price is that of the model that answered, not of the one that was requested", () => {
    const cost = ask(book, { model: "gpt-4o-mini-2024-07-18", requested: "gpt-4o" })
    expect(cost).toMatchObject({ status: "exact", totalCost: "0.15" })
  })

  test("the price is that of the requested model if the answer names none", () => {
    expect(ask(book, { model: undefined, requested: "gpt-4o" })).toMatchObject({ status: "exact", totalCost: "2.5" })
  })

  test("the price is that of the requested model, as an estimate, if no source has the one that answered", () => {
    expect(ask(book, { model: "gpt-x", requested: "gpt-4o" })).toMatchObject({
      status: "estimated",
      totalCost: "2.5",
      price: { reason: "no price for gpt-x, which answered: priced as gpt-4o, which was asked" },
    })
  })

  test("without any name there is no price", () => {
    expect(ask(book, { model: undefined })).toMatchObject({
      status: "unpriced",
      totalCost: undefined,
      price: { reason: "the answer and the request name no model" },
    })
  })

  test("a very long name has no price, and only its beginning is kept", () => {
    const { status, price } = ask(book, { model: "x".repeat(1_000_000) })
    expect(status).toBe("unpriced")
    expect(price?.reason?.length).toBeLessThan(400)
  })

  test("a rate for cached input that Anthropic does not list is not derived", () => {
    expect(ask(book, { provider: "anthropic", model: "claude-2", usage: { cacheRead: 1 } })).toMatchObject({
      status: "unpriced",
      price: { reason: "no rate for cacheRead of claude-2" },
    })
  })

  test("a rate for cached input that is not listed is the input rate: exact for OpenAI, an estimate for other providers", () => {
    const usage = { cacheRead: 1_000_000 }
    expect(ask(book, { model: "gpt-4", usage })).toMatchObject({ status: "exact", totalCost: "30" })
    expect(ask(book, { provider: "x-ai", model: "grok-2-1212", usage })).toMatchObject({
      status: "estimated",
      totalCost: "2",
      price: { reason: "cacheRead of grok-2-1212 is not listed: taken from input" },
    })
  })

  test("the certificate names the source and the date of each rate", () => {
    const { price } = ask(book, { model: "o3" })
    expect(price?.lines[0]).toMatchObject({ model: "o3", rate: "2", source: "genai-prices", date: "2025-06-10" })
  })

  test("the price is that of the time of the request", () => {
    const of = (day: string) => ask(book, { model: "o3", at: Date.parse(day) }).totalCost
    expect([of("2025-06-09T23:59:59Z"), of("2025-06-10T00:00:00Z")]).toEqual(["10", "2"])
  })
})

describe("the user's prices and names", () => {
  test("overrides have priority at any size of request, and the catalog gives the other rates", async () => {
    const book = await create({ overrides: { "GPT-5.4": own({ input: "1" }) } })
    const usage = { input: 1_000_000, output: 1_000_000 }

    const cost = ask(book, { model: "gpt-5.4", usage, contextTokens: 1_000_000 })

    expect(cost).toMatchObject({ status: "exact", inputCost: "1", outputCost: "22.5" })
    expect(cost.price?.lines.map(({ source }) => source)).toEqual(["overrides", "genai-prices"])
  })

  test("overrides have priority over the cost that the provider reports", async () => {
    const book = await create({ overrides: { "openrouter/acme/m": own({ input: "1", output: "2" }) } })
    const asked = { model: "acme/m", reportedCostUsd: "9" }
    expect(ask(book, { provider: "openrouter", ...asked }).totalCost).toBe("1")
  })

  test("overrides price a provider that no source knows", async () => {
    const book = await create({ overrides: { "my-proxy/gpt-4o": own({ input: "7" }) } })
    expect(ask(book, { provider: "my-proxy", model: "gpt-4o" }).totalCost).toBe("7")
    expect(ask(book, { model: "gpt-4o" }).totalCost).toBe("2.5")
  })

  test("a provider can be free, or have prices of its own", async () => {
    const book = await create({ providerPrices: { ollama: "free", lab: { m: own({ input: "3" }) } } })
    expect(ask(book, { provider: "ollama", model: "llama" })).toMatchObject({ status: "free", totalCost: "0" })
    expect(ask(book, { provider: "lab", model: "m" }).totalCost).toBe("3")
    expect(ask(book, { provider: "openai", model: "m" }).status).toBe("unpriced")
  })

  test("a provider with a known address is priced as such, whatever it is called", async () => {
    const book = await create({ baseUrls: { fast: "https://api.groq.com/openai", mine: "https://llm.acme.test" } })
    const model = "llama-3.3-70b-versatile"
    expect(ask(book, { provider: "fast", model }).totalCost).toBe("0.59")
    expect(ask(book, { provider: "mine", model }).status).toBe("unpriced")
  })

  test("names of models can be given for all providers, or for one", async () => {
    const aliasesFile = await fileOf({ _comment: "ours", prod: "gpt-4o", "azure/prod": "gpt-4o-mini" })
    const book = await create({ aliasesFile })
    expect(ask(book, { model: "prod" })).toMatchObject({ status: "exact", totalCost: "2.5" })
    expect(ask(book, { provider: "azure", model: "PROD" }).totalCost).toBe("0.15")
  })

  test("a price file can use our names, those of the Go gateway, or those of llm-prices.com", async () => {
    const ours = await fileOf({ _note: "x", m: { input: 0.5, output: "1.25", cache_write_1h: 1e-7 } })
    const go = await fileOf({
      m: { input_price_per_million: 0.5, output_price_per_million: 2, cached_price_per_million: 0.1 },
    })
    const list = await fileOf({
      prices: [{ id: "m", vendor: "v", name: "M", input: 0.5, output: 2, input_cached: null }],
    })
    for (const fallbackFile of [ours, go, list]) {
      const book = await create({ fallbackFile })
      expect(ask(book, { provider: "anything", model: "m" })).toMatchObject({ status: "exact", totalCost: "0.5" })
    }
  })

  test.each([
    ["fallbackFile", "[]", "pricing.fallback_file: PATH: expected a JSON object"],
    ["fallbackFile", "{", "pricing.fallback_file: PATH: expected a JSON object"],
    ["fallbackFile", { m: 1 }, "pricing.fallback_file: m: expected an object of rates"],
    ["fallbackFile", { m: {} }, "pricing.fallback_file: m: expected at least one rate"],
    ["fallbackFile", { m: { inptu: 1 } }, 'pricing.fallback_file: m: unknown rate "inptu"; known are'],
    ["fallbackFile", { m: { input: -1 } }, "pricing.fallback_file: m.input: expected USD per million tokens"],
    ["fallbackFile", { prices: [{ input: 1 }] }, "pricing.fallback_file: prices[0]: expected an `id`"],
    ["aliasesFile", { a: 1 }, "pricing.aliases_file: a: expected the name of a model, got 1"],
  ] as const)("that is wrong in the %s is refused with its place: %j", async (option, content, message) => {
    const path = await fileOf(content)
    await expect(create({ [option]: path })).rejects.toThrow(message.replace("PATH", path))
  })

  test("a file that does not exist is an error", async () => {
    await expect(create({ aliasesFile: "/nowhere/a.json" })).rejects.toThrow(
      "pricing.aliases_file: /nowhere/a.json: no such file",
    )
  })
})

describe("with the list of llm-prices.com", () => {
  let body: unknown
  let remoteUrl: string
  const server = createServer((_, response) => response.end(JSON.stringify(body)))
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    remoteUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  })
  afterAll(() => server.close())

  async function createWith(rows: readonly ReturnType<typeof listedRow>[], options: Partial<PriceBookOptions> = {}) {
    body = bodyOf(rows)
    const book = await create({ remoteUrl, ...options })
    expect(await book.refresh()).toContainEqual(
      expect.objectContaining({ source: "llm-prices.com", status: "updated" }),
    )
    return book
  }

  test("rates of the list have priority, and the bundled data gives the rates that it does not have", async () => {
    const book = await createWith([listedRow("anthropic", "claude-4.5-haiku", 1, 6, null)])
    const usage = { input: 1_000_000, cacheRead: 1_000_000, output: 1_000_000 }

    const cost = ask(book, { provider: "anthropic", model: "claude-haiku-4-5-20251001", usage })

    expect(cost).toMatchObject({ status: "exact", inputCost: "1.1", outputCost: "6" })
    expect(cost.price?.lines.map(({ source, date }) => [source, date])).toEqual([
      ["llm-prices.com", "2026-11-01"],
      ["genai-prices", "2026-09-23"],
      ["llm-prices.com", "2026-11-01"],
    ])
  })

  test("a bundled rate may be wrong if the two sources have different input rates", async () => {
    const book = await createWith([listedRow("anthropic", "claude-4.5-haiku", 2, 10, null)])
    const of = (usage: Partial<Usage>) => ask(book, { provider: "anthropic", model: "claude-haiku-4-5", usage })

    expect(of({ input: 1 }).status).toBe("exact")
    expect(of({ cacheRead: 1 })).toMatchObject({
      status: "estimated",
      price: { reason: "cacheRead is from genai-prices, whose input rate is not the one of llm-prices.com" },
    })
  })

  test("long-context rows of the list apply from the same threshold as the bundled ones", async () => {
    const rows = [
      listedRow("openai", "gpt-5.4", 3, 15, 0.3),
      { ...listedRow("openai", "gpt-5.4-272k", 6, 22, 0.6), name: "GPT-5.4 >272k" },
    ]
    const book = await createWith(rows)

    expect(ask(book, { model: "gpt-5.4", contextTokens: 271_999 }).totalCost).toBe("3")
    expect(ask(book, { model: "gpt-5.4", contextTokens: 272_000 }).totalCost).toBe("6")
  })

  test("the list is not used for a price that began after it, for a request before it, or if the price depends on the hour", async () => {
    const rows = [
      listedRow("openai", "o3", 1, 1, 1),
      listedRow("deepseek", "deepseek-v4-pro", 9, 9, 9),
      listedRow("google", "gemini-3.7-flash", 9, 9, 9),
    ]
    const book = await createWith(rows)

    expect(ask(book, { model: "o3" }).totalCost).toBe("1")
    expect(ask(book, { model: "o3", at: Date.parse("2026-10-31T12:00:00Z") }).totalCost).toBe("2")
    expect(ask(book, { provider: "deepseek", model: "deepseek-v4-pro" }).totalCost).toBe("0.66")
    const gemini = { provider: "gemini", model: "gemini-3.7-flash" }
    expect(ask(book, { ...gemini, at: Date.parse("2027-01-01") }).totalCost).toBe("1.5")
    expect(book.explain("openai", "o3", Date.parse("2026-10-31"))[0]?.setAside).toMatchObject([
      { reason: "its price is known since 2026-11-01, after the request" },
    ])
  })

  test("a younger list keeps the price of a request before it", async () => {
    const october = Date.parse("2026-11-10T12:00:00Z")
    const rows = [listedRow("anthropic", "claude-4.5-haiku", 1.5, 6, null)]
    const book = await createWith(rows)
    const haiku = { provider: "anthropic", model: "claude-haiku-4-5", at: october }
    expect(ask(book, haiku)).toMatchObject({ status: "exact", totalCost: "1.5" })

    body = bodyOf(rows, "2026-11-19")
    await book.refresh()

    expect(ask(book, haiku)).toMatchObject({ status: "exact", totalCost: "1.5" })
  })

  test("a change applies from the time at which it was seen, also after a restart and without the model in the list", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "prices-"))
    let now = Date.parse("2026-11-10T12:00:00Z")
    const options = { dataDir, now: () => now }
    const book = await createWith([listedRow("openai", "gpt-7", 3, 9, null)], options)
    now = AT
    body = bodyOf([listedRow("openai", "gpt-7", 2, 9, null)], "2026-11-19")
    await book.refresh()
    now = AT + 600_000
    body = bodyOf([], "2026-11-20")
    await book.refresh()

    const later = await create({ remoteUrl, ...options })
    for (const each of [book, later]) {
      const costAt = (at: number) => ask(each, { model: "gpt-7", at }).totalCost
      expect([AT - 1, AT, AT + 599_999, AT + 600_000].map(costAt)).toEqual(["3", "2", "2", undefined])
    }
  })

  test("before the first price that is known, a contradicting flat price of the catalog is used, as an estimate", async () => {
    const book = await createWith([listedRow("anthropic", "claude-4.5-haiku", 1.5, 6, null)])
    const before = Date.parse("2026-10-10T12:00:00Z")
    expect(ask(book, { provider: "anthropic", model: "claude-haiku-4-5", at: before })).toMatchObject({
      status: "estimated",
      totalCost: "1",
      price: { reason: "the sources disagree about the price at the time of the request" },
    })
  })

  test("a model that only the list has is priced by it, at its vendor", async () => {
    const before = (await createWith([])).modelCount()
    const book = await createWith([listedRow("openai", "gpt-7", 3, 9, null)])
    expect(ask(book, { model: "gpt-7" })).toMatchObject({ status: "exact", totalCost: "3" })
    expect(ask(book, { provider: "anthropic", model: "gpt-7" }).status).toBe("unpriced")
    expect(book.modelCount()).toBe(before + 1)
    expect(book.models("openai").map(({ model }) => model)).toContain("gpt-7")
  })

  test("a refresh changes prices that have been asked before", async () => {
    const book = await createWith([listedRow("openai", "gpt-4o", 2, 10, 1)])
    expect(ask(book, { model: "gpt-4o" }).totalCost).toBe("2")

    body = bodyOf([listedRow("openai", "gpt-4o", 3, 10, 1)])
    await book.refresh()

    expect(ask(book, { model: "gpt-4o" }).totalCost).toBe("3")
  })

  test("a price file of the user has priority over the list, and the explanation shows the disagreement", async () => {
    const fallbackFile = await fileOf({ "gpt-4o": { input: 1 } })
    const book = await createWith([listedRow("openai", "gpt-4o", 2, 10, 1)], { fallbackFile })

    const [found] = book.explain("openai", "gpt-4o")

    expect(found?.entry.base.input).toBe("1")
    expect(found?.rows.map(({ source }) => source)).toEqual(["fallback_file", "llm-prices.com", "genai-prices"])
    expect(found?.disagreements).toContainEqual({
      rate: "input",
      taken: "1",
      from: "fallback_file",
      other: "2",
      otherFrom: "llm-prices.com",
    })
  })
})

describe("with the data of genai-prices and LiteLLM's map", () => {
  const fillers = Array.from({ length: 25 }, (_, index) => ({ id: `filler-${index}`, prices: { input_mtok: 1 } }))
  const bodies: Record<string, unknown> = {}
  let status = 200
  let base: string
  const server = createServer((request, response) =>
    response.writeHead(status).end(JSON.stringify(bodies[request.url ?? ""])),
  )
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const models = [
      {
        id: "claude-next-9",
        match: { starts_with: "claude-next-9" },
        prices: {
          input_mtok: { base: 2, tiers: [{ start: 200_000, price: 4 }] },
          cache_read_mtok: 0.2,
          cache_write_mtok: 2.5,
          cache_write_1h_mtok: 4,
          output_mtok: 10,
        },
      },
      ...fillers.map((filler) => ({ ...filler, match: { equals: filler.id } })),
    ]
    bodies["/catalog"] = [{ id: "anthropic", api_pattern: "https://api\\.anthropic\\.com", models }]
    const map = fillers.map(({ id }) => [id, { litellm_provider: "groq", input_cost_per_token: 1e-6 }] as const)
    bodies["/litellm"] = {
      ...Object.fromEntries(map),
      "gpt-8": { litellm_provider: "openai", input_cost_per_token: 7e-6, output_cost_per_token: 8e-6 },
    }
  })
  afterAll(() => server.close())

  test("a model of yesterday has all its rates, cache writes and tiers included, also after a restart", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "prices-"))
    const options = { catalogUrl: `${base}/catalog`, dataDir }
    const book = await create(options)
    const asked = { provider: "anthropic", model: "claude-next-9-20261119" }
    expect(ask(book, asked).status).toBe("unpriced")
    expect(await book.refresh()).toContainEqual({
      source: "genai-prices",
      status: "updated",
      day: "2026-11-20",
      models: 26,
    })

    const later = await create(options)
    for (const each of [book, later]) {
      const of = (usage: Partial<Usage>, contextTokens = 0) => ask(each, { ...asked, usage, contextTokens })
      expect(of({ cacheWrite1h: 1_000_000 })).toMatchObject({ status: "exact", totalCost: "4" })
      expect(of({ cacheWrite: 1_000_000 })).toMatchObject({ status: "exact", totalCost: "2.5" })
      expect(of({ input: 1_000_000 }, 200_001)).toMatchObject({ status: "exact", totalCost: "4" })
      expect(each.models("openai").length).toBeGreaterThan(50)
    }
  })

  test("LiteLLM's map prices what no other list has, and is not used if it has no address", async () => {
    const book = await create({ litellmUrl: `${base}/litellm` })
    expect(ask(book, { model: "gpt-8" }).status).toBe("unpriced")
    await book.refresh()

    expect(ask(book, { model: "gpt-8" })).toMatchObject({ status: "exact", totalCost: "7" })
    expect(book.models("openai").map(({ model }) => model)).toContain("gpt-8")
    expect((await (await create()).refresh()).map((result) => result.status)).toEqual(["off", "off", "off"])
  })

  test("a source that fails leaves its prices as they are, and does not stop the others", async () => {
    const book = await create({ catalogUrl: `${base}/catalog`, litellmUrl: `${base}/none` })
    const results = await book.refresh()
    expect(results.map((result) => result.status)).toEqual(["off", "updated", "failed"])

    status = 500
    expect((await book.refresh()).map((result) => result.status)).toEqual(["off", "failed", "failed"])
    status = 200
    expect(ask(book, { provider: "anthropic", model: "claude-next-9" }).status).toBe("exact")
  })
})
