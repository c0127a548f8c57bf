import { describe, expect, test } from "vitest"
import { CORRECTIONS } from "../../src/pricing/corrections.ts"
import { parseLlmPrices } from "../../src/pricing/llm-prices.ts"
import { bodyOf, listedRow } from "./_list.ts"

const NOW = Date.parse("2026-11-20T12:00:00Z")

describe("the list of llm-prices.com", () => {
  test("has the rates of a model, as the decimals that its numbers are printed as", () => {
    const list = parseLlmPrices(bodyOf([listedRow("openai", "gpt-test", 0.1, 0.4, 0.025)]))

    expect(list.find("openai", "gpt-test", NOW)).toEqual({
      model: "gpt-test",
      source: "llm-prices.com",
      date: "2026-11-01",
      base: { input: "0.1", output: "0.4", cacheRead: "0.025" },
      tiers: [],
    })
  })

  test("has no rate for cached input where it contains null", () => {
    const list = parseLlmPrices(bodyOf([listedRow("openai", "gpt-test", 1, 4, null)]))
    expect(list.find("openai", "gpt-test", NOW)?.base).toEqual({ input: "1", output: "4" })
  })

  test("makes a long-context row a tier of its model", () => {
    const list = parseLlmPrices(
      bodyOf([
        listedRow("openai", "gpt-test", 1, 4, null),
        { ...listedRow("openai", "gpt-test-272k", 2, 6, null), name: "GPT Test >272k" },
      ]),
    )

    expect(list.find("openai", "gpt-test", NOW)?.tiers).toEqual([
      { above: 272_000, rates: { input: "2", output: "6" } },
    ])
    expect(list.find("openai", "gpt-test-272k", NOW)).toBeUndefined()
    expect(list.ids().map(({ id }) => id)).not.toContain("gpt-test-272k")
  })

  test("does not make a model whose id ends in the same way a tier", () => {
    const list = parseLlmPrices(
      bodyOf([listedRow("openai", "gpt-4-32k", 60, 120, null), listedRow("openai", "gpt-4", 30, 60, null)]),
    )
    expect(list.find("openai", "gpt-4-32k", NOW)?.base.input).toBe("60")
  })

  test("leaves out rows that are not prices", () => {
    const bad = [
      null,
      7,
      {},
      { ...listedRow("openai", "a", 1, 1, null), input: "1" },
      listedRow("openai", "b", -1, 1, null),
    ]
    const list = parseLlmPrices(bodyOf(bad as never[]))
    expect(list.find("openai", "a", NOW)).toBeUndefined()
    expect(list.find("openai", "b", NOW)).toBeUndefined()
  })

  test.each([
    [undefined, "expected an object"],
    [[], "expected an object"],
    [{ prices: {} }, "expected an object"],
    [{ ...bodyOf([]), updated_at: "soon" }, "expected a day"],
    [{ updated_at: "2026-11-01", prices: [listedRow("openai", "a", 1, 1, null)] }, "at least 20"],
  ])("is rejected if it is not a price list: %j", (body, why) => expect(() => parseLlmPrices(body)).toThrow(why))
})

describe("the history of llm-prices.com", () => {
  const dated = (input: number, from: string | null, to: string | null) => ({
    ...listedRow("openai", "gpt-test", input, 4, null),
    from_date: from,
    to_date: to,
  })
  const listOf = (...rows: readonly ReturnType<typeof dated>[]) =>
    parseLlmPrices({ prices: [...rows, ...bodyOf([]).prices] }, undefined, NOW)
  const inputAt = (list: ReturnType<typeof listOf>, at: string) =>
    list.find("openai", "gpt-test", Date.parse(at))?.base.input

  test("has the prices of each period, and the day on which it was fetched", () => {
    const list = listOf(dated(2, "2026-06-01", null), dated(10, null, "2026-06-01"))
    expect(list.day).toBe("2026-11-20")
    expect([inputAt(list, "2025-01-01"), inputAt(list, "2026-05-31T23:59:59Z"), inputAt(list, "2026-06-01")]).toEqual([
      "10",
      "10",
      "2",
    ])
    expect(list.termOf("openai", "gpt-test", Date.parse("2026-05-01"))).toEqual({
      knownFrom: undefined,
      confirmedUntil: "2026-06-01",
    })
  })

  test("has no price for a model after its last day", () => {
    const list = listOf(dated(10, null, "2026-06-01"))
    expect(inputAt(list, "2026-05-01")).toBe("10")
    expect(inputAt(list, "2026-06-01")).toBeUndefined()
    expect(list.ids().map(({ id }) => id)).not.toContain("gpt-test")
  })

  test("leaves out rows whose days are not days", () => {
    expect(inputAt(listOf(dated(10, "soon", null)), "2026-06-01")).toBeUndefined()
  })
})

describe("a correction", () => {
  const rows = CORRECTIONS.map(({ vendor, id, shown }) => listedRow(vendor, id, ...shown))
  const o3 = CORRECTIONS.find(({ id }) => id === "o3")!

  test("applies while the row has the prices that are known to be wrong", () => {
    expect(parseLlmPrices(bodyOf(rows)).find("openai", "o3", NOW)?.base).toEqual(o3.right)
  })

  test("does not apply once the row has other prices", () => {
    const list = parseLlmPrices(bodyOf([listedRow("openai", "o3", 1.5, 6, 0.4)]))
    expect(list.find("openai", "o3", NOW)?.base).toEqual({ input: "1.5", output: "6", cacheRead: "0.4" })
  })

  test("applies on its days only", () => {
    const list = parseLlmPrices(bodyOf(rows))
    const inputAt = (day: string) => list.find("google", "gemini-3.6-flash", Date.parse(day))?.base.input
    expect(inputAt("2026-12-31T23:59:59Z")).toBe("0.75")
    expect(inputAt("2027-01-01T00:00:00Z")).toBe("1.5")
    expect(list.find("openai", "o3", Date.parse("2025-06-09"))?.base.input).toBe("10")
  })
})
