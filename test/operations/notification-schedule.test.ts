import { describe, expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { findLastDue } from "../../src/operations/notifications/digest-time.ts"
import { findPriceChanges } from "../../src/operations/notifications/price-changes.ts"
import type { PriceBook } from "../../src/pricing/price-book.ts"

const iso = (at: number) => new Date(at).toISOString()

describe("the last time of a digest", () => {
  test.each([
    ["day", "09:00", "UTC", "2026-11-28T09:00:00Z", "2026-11-28T09:00:00.000Z"],
    ["day", "09:00", "UTC", "2026-11-28T08:59:59Z", "2026-11-27T09:00:00.000Z"],
    ["day", "09:00", "Europe/Berlin", "2026-11-28T08:30:00Z", "2026-11-28T08:00:00.000Z"],
    // Clocks go forward on the last Sunday of March.
    ["day", "09:00", "Europe/Berlin", "2026-03-29T07:30:00Z", "2026-03-29T07:00:00.000Z"],
    ["day", "23:30", "America/New_York", "2026-11-28T04:45:00Z", "2026-11-28T04:30:00.000Z"],
    ["week", "09:00", "UTC", "2026-11-29T12:00:00Z", "2026-11-23T09:00:00.000Z"],
    ["week", "09:00", "UTC", "2026-11-30T08:00:00Z", "2026-11-23T09:00:00.000Z"],
    ["week", "09:00", "UTC", "2026-11-30T09:00:00Z", "2026-11-30T09:00:00.000Z"],
    ["month", "07:15", "Asia/Kolkata", "2026-12-01T01:45:00Z", "2026-12-01T01:45:00.000Z"],
    ["month", "07:15", "Asia/Kolkata", "2026-12-01T01:44:00Z", "2026-11-01T01:45:00.000Z"],
    ["month", "09:00", "UTC", "2027-01-01T00:00:00Z", "2026-12-01T09:00:00.000Z"],
  ] as const)("every %s at %s (%s), seen at %s, is %s", (every, at, tz, now, due) => {
    expect(iso(findLastDue({ every, at }, { now: Date.parse(now), tz }))).toBe(due)
  })
})

describe("prices of models in use that have changed", () => {
  const T = Date.parse("2026-11-28T10:00:00Z")
  const database = {
    query: async () => ({
      rows: [
        { provider: "openai", model: "gpt-5", cost: "12.5" },
        { provider: "openai", model: "new", cost: null },
      ],
      rowCount: 2,
    }),
  } as unknown as Database

  /** A price book with rates from a time on. */
  function bookOf(
    rates: Readonly<Record<string, readonly (readonly [from: number, base: object, tiers?: readonly object[]])[]>>,
  ) {
    return {
      explain: (_provider: string, model: string, at: number) => {
        const [, base, tiers = []] = rates[model]?.findLast(([from]) => from <= at) ?? []
        if (base === undefined) return []
        const sources = Object.fromEntries(Object.keys(base).map((name) => [name, { source: "llm-prices.com" }]))
        return [{ entry: { model, base, tiers, sources } }]
      },
    } as unknown as PriceBook
  }
  const find = (prices: PriceBook, since: number, now: number) => findPriceChanges({ database, prices }, { since, now })

  test("are told with the components that differ, and what the model cost", async () => {
    const prices = bookOf({
      "gpt-5": [
        [0, { input: "1", cacheRead: "0.1", output: "8" }],
        [T, { input: "2", cacheRead: "0.1", output: "9" }],
      ],
    })
    const [change, ...others] = await find(prices, T - 1, T + 1)
    expect(others).toEqual([])
    expect(change).toMatchObject({
      kind: "price_changed",
      subject: "openai/gpt-5",
      window: expect.stringMatching(/^2026-11-28\/[0-9a-f]{12}$/),
      facts: {
        source: "llm-prices.com",
        recent_cost: "12.5",
        changes: [
          { component: "input", before: "1", after: "2" },
          { component: "output", before: "8", after: "9" },
        ],
      },
    })
    expect(await find(prices, T + 1, T + 2)).toEqual([])
  })

  test("include those of long contexts, and prices that end", async () => {
    const tier = (input: string) => [{ above: 200_000, rates: { input } }]
    const prices = bookOf({
      "gpt-5": [
        [0, { input: "1" }, tier("2")],
        [T, { input: "1" }, tier("3")],
        [T + 10, {}],
      ],
    })
    expect((await find(prices, T - 1, T))[0]!.facts.changes).toEqual([
      { component: "input above 200000", before: "2", after: "3" },
    ])
    expect((await find(prices, T, T + 10))[0]!.facts.changes).toEqual([
      { component: "input", before: "1", after: undefined },
      { component: "input above 200000", before: "3", after: undefined },
    ])
  })

  test("are not the first prices of a model", async () => {
    expect(await find(bookOf({ new: [[T, { input: "1" }]] }), T - 1, T + 1)).toEqual([])
  })
})
