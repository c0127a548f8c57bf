import { REMOTE_DATA_JSON_URL } from "@pydantic/genai-prices"
import { describe, expect, test } from "vitest"
import { SETTINGS } from "../../src/config/settings.ts"
import { bundledRow, loadBundled } from "../../src/pricing/bundled.ts"
import { mergeCatalog, seenPrices } from "../../src/pricing/catalog.ts"
import { parseCatalogData } from "../../src/pricing/catalog-data.ts"
import type { CatalogProvider } from "../../src/pricing/catalog-model.ts"
import { createPriceHistory } from "../../src/pricing/price-history.ts"

const AT = Date.parse("2026-11-20T12:00:00Z")
const FILLERS = Array.from({ length: 25 }, (_, index) => ({
  id: `filler-${index}`,
  match: { equals: `filler-${index}` },
  prices: { input_mtok: 1 },
}))

function dataOf(models: readonly unknown[], more: Readonly<Record<string, unknown>> = {}) {
  return parseCatalogData(
    [
      { id: "acme", api_pattern: "https://api\\.acme\\.test", models: FILLERS },
      { id: "openai", api_pattern: "https://evil\\.test", models, ...more },
    ],
    AT,
  )
}

const idsOf = (data: ReturnType<typeof dataOf>) =>
  data.providers.find(({ id }) => id === "openai")?.models.map(({ id }) => id)

describe("the fetched data of genai-prices", () => {
  test("comes from the address that the updater of its own package uses", () => {
    expect(SETTINGS.pricing.catalog_url.initial).toBe(REMOTE_DATA_JSON_URL)
  })

  test("can be read without loss: the bundled data is read as it is", async () => {
    const bundled = await loadBundled()
    const data = parseCatalogData(JSON.parse(JSON.stringify(bundled)), AT)
    const namesOf = (providers: readonly CatalogProvider[]) =>
      providers.flatMap(({ id, models }) => models.map((model) => `${id}/${model.id}`))
    expect(namesOf(data.providers)).toEqual(namesOf(bundled))
    expect(seenPrices(bundled, data).filter(({ prices, before }) => before && prices === before.prices)).toEqual([])

    const history = createPriceHistory({ file: undefined, log: () => {} })
    history.note("genai-prices", seenPrices(bundled, data), {
      fetchedAt: AT,
      firstFrom: AT,
      isComplete: false,
      isCopy: false,
    })
    expect(history.modelsOf("genai-prices")).toEqual([])
  })

  test("tells start days from daily hours by their members, as published", () => {
    const constraints = [{ start_date: "2026-03-13" }, { start_time: "00:30:00Z", end_time: "16:30:00Z" }]
    const prices = [{ prices: {} }, ...constraints.map((constraint) => ({ constraint, prices: { input_mtok: 1 } }))]
    const model = dataOf([{ id: "m", match: { equals: "m" }, prices }]).providers[1]?.models[0]
    expect(model?.prices).toMatchObject([
      { prices: {} },
      { constraint: { type: "start_date" } },
      { constraint: { type: "time_of_date" } },
    ])
  })

  test.each([
    ["an unknown condition", { prices: [{ constraint: { service_tier: "flex" }, prices: { input_mtok: 1 } }] }],
    ["an unknown member beside its prices", { prices: [{ region: "eu", prices: { input_mtok: 1 } }] }],
    ["a negative rate", { prices: { input_mtok: -1 } }],
    ["a rate that is text", { prices: { input_mtok: "1" } }],
    ["a broken tier", { prices: { input_mtok: { base: 1, tiers: [{ start: "2", price: 1 }] } } }],
    ["an unknown rule for its names", { match: { like: "m" } }],
    ["an expression that takes exponential time", { match: { regex: "^(a+)+$" } }],
    ["an expression that is invalid", { match: { regex: "(" } }],
  ])("leaves out a model with %s", (_, broken) => {
    const good = { id: "good", match: { equals: "good" }, prices: { input_mtok: 1 } }
    expect(idsOf(dataOf([{ ...good, id: "m", ...broken }, good]))).toEqual(["good"])
  })

  test.each([
    [{}, "expected a list of providers"],
    [[], "at least 20"],
    [[{ id: "acme", api_pattern: "(", models: FILLERS }], "at least 20"],
  ])("is rejected if it is not a catalog: %j", (body, why) => {
    expect(() => parseCatalogData(body, AT)).toThrow(why)
  })
})

describe("the merged catalog", () => {
  const bundled: readonly CatalogProvider[] = [
    {
      id: "openai",
      api_pattern: "https://api\\.openai\\.com",
      models: [
        { id: "m", prices: { input_mtok: 1 } },
        { id: "old", prices: { input_mtok: 9 } },
      ],
    },
  ]
  const merge = (...days: readonly (readonly [seenAt: number, data: ReturnType<typeof dataOf>])[]) => {
    const history = createPriceHistory({ file: undefined, log: () => {} })
    for (const [seenAt, data] of days) {
      history.note("genai-prices", seenPrices(bundled, data), {
        fetchedAt: seenAt,
        firstFrom: seenAt,
        isComplete: false,
        isCopy: false,
      })
    }
    return mergeCatalog(bundled, days.at(-1)?.[1], history)
  }
  const inputAt = (catalog: ReturnType<typeof merge>, id: string, at: number) => {
    const model = catalog.get("openai")?.models.find((each) => each.id === id)
    return model && bundledRow(model, at).row.base.input
  }
  const modelOf = (prices: unknown, id = "m") => ({ id, match: { equals: id }, prices })

  test("has the fetched prices, the bundled models that were not fetched, and the bundled address", () => {
    const catalog = merge([AT, dataOf([modelOf({ input_mtok: 2 }), modelOf({ input_mtok: 3 }, "new")])])
    expect(["m", "new", "old"].map((id) => inputAt(catalog, id, AT))).toEqual(["2", "3", "9"])
    expect(catalog.get("openai")?.api_pattern).toBe("https://api\\.openai\\.com")
    expect(catalog.get("acme")?.models).toHaveLength(25)
  })

  test("keeps the price of a request's time when a flat price changes", () => {
    const later = AT + 86_400_000
    const catalog = merge([AT, dataOf([modelOf({ input_mtok: 2 })])], [later, dataOf([modelOf({ input_mtok: 5 })])])
    expect([AT - 1, AT, later - 1, later].map((at) => inputAt(catalog, "m", at))).toEqual(["1", "2", "2", "5"])
  })

  test("believes prices with dates about the past more than what was seen", () => {
    const dated = [
      { prices: { input_mtok: 1 } },
      { constraint: { start_date: "2026-11-10" }, prices: { input_mtok: 5 } },
    ]
    const catalog = merge([AT, dataOf([modelOf({ input_mtok: 2 })])], [AT + 1, dataOf([modelOf(dated)])])
    expect(inputAt(catalog, "m", Date.parse("2026-11-09"))).toBe("1")
    expect(inputAt(catalog, "m", Date.parse("2026-11-12"))).toBe("5")
  })

  test("keeps a fetched model that the data no longer has", () => {
    const catalog = merge([AT, dataOf([modelOf({ input_mtok: 3 }, "new")])], [AT + 1, dataOf([])])
    expect(inputAt(catalog, "new", AT)).toBe("3")
  })
})
