import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import type { Database } from "../../src/database/_database.ts"
import { openPostgres } from "../../src/database/open.ts"
import { computeWhatIf } from "../../src/operations/reprice/what-if.ts"
import { addAmounts, allocate } from "../../src/operations/usage/allocate.ts"
import { forecastUsage } from "../../src/operations/usage/forecast.ts"
import { createInvoice, parseAllocation } from "../../src/operations/usage/invoice.ts"
import { parseDimensions, parseFilters, parseNamedPeriod } from "../../src/operations/usage/question.ts"
import { reportUsage } from "../../src/operations/usage/report.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { postgresAt } from "../support/databases.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { createRandom, insertRandomUsage } from "../support/random-usage.ts"
import { insertKey, insertRows } from "../support/usage-rows.ts"

const NOW = Date.parse("2026-11-20T12:00:00Z")
const NO_FILTERS = parseFilters({ where: [] })

let home: TestDatabase
let database: Database
let client: pg.Client
beforeAll(async () => {
  home = await createTestDatabase()
  database = await openPostgres(postgresAt(home.url, { maxConns: 4 }).postgres)
  client = new pg.Client({ connectionString: home.url })
  await client.connect()
  const keys = [await insertKey(client, "alpha"), await insertKey(client, "beta"), await insertKey(client, "alpha")]
  await insertRandomUsage(client, { rows: 1500, since: "2026-06-20", until: "2026-08-10", keys, seed: 20 })
})
afterAll(async () => {
  await client.end()
  await database.close()
  await home.drop()
})

const monthOf = (month: string, tz: string) => parseNamedPeriod("month", month, { now: NOW, tz })

function invoiceOf(month: string, { by = "User-Id", tz = "UTC", allocation = undefined as string | undefined } = {}) {
  const [dimension] = parseDimensions(by)
  const question = {
    by: dimension!,
    period: monthOf(month, tz),
    filters: NO_FILTERS,
    allocation: parseAllocation(allocation, dimension!),
    hasLines: true,
  }
  return createInvoice({ database, now: () => NOW }, question)
}

describe("shares add up to the amount to the last digit, and have at most 12 digits after the point", () => {
  test("for random amounts and weights", () => {
    const random = createRandom(1)
    for (let i = 0; i < 300; i++) {
      const amount = `${Math.floor(random() * 1000)}.${String(Math.floor(random() * 1e12)).padStart(12, "0")}`
      const weights = Array.from({ length: 1 + Math.floor(random() * 9) }, () => BigInt(Math.floor(random() * 5)))
      const shares = allocate(amount, weights)
      if (weights.every((weight) => weight === 0n)) expect(shares).toBeUndefined()
      else {
        expect(addAmounts(shares!)).toBe(formatDecimal(parseDecimal(amount)))
        shares!.forEach((share, j) => {
          expect(share).toMatch(/^\d+(\.\d{1,12})?$/)
          if (weights[j] === 0n) expect(share).toBe("0")
        })
      }
    }
  })

  test("one dollar in three", () => {
    expect(allocate("1", [1n, 1n, 1n])).toEqual(["0.333333333333", "0.333333333333", "0.333333333334"])
  })
})

const CASES = ["User-Id", "key", "model", "Feature"].flatMap((by) =>
  ["UTC", "Asia/Kathmandu", "America/New_York"].map((tz) => [by, tz] as const),
)

describe("an invoice, on random rows", () => {
  test.each(CASES)("by %s in %s adds up to the report of the same month", async (by, tz) => {
    const invoice = await invoiceOf("2026-07", { by, tz })
    const question = { by: parseDimensions(by), period: monthOf("2026-07", tz), filters: NO_FILTERS }
    const { answer } = await reportUsage({ database }, question)
    expect(invoice.total.total_cost).toBe(answer.total.total_cost)
    expect(addAmounts(invoice.rows.map(({ amount }) => amount))).toBe(answer.total.total_cost)
    expect(addAmounts(invoice.lines!.map(({ total_cost }) => total_cost))).toBe(answer.total.total_cost)
    expect(invoice.lines!.reduce((sum, { requests }) => sum + requests, 0)).toBe(answer.total.requests)
  })

  test.each(["requests", "cost"])(
    "shares the cost of those without the name by %s, and adds up as before",
    async (weight) => {
      const plain = await invoiceOf("2026-07")
      const shared = await invoiceOf("2026-07", { allocation: `User-Id=(none) by ${weight}` })
      const none = plain.rows.find((row) => row["User-Id"] === null)!
      expect(shared.allocation).toEqual({ group: "(none)", by: weight, amount: none.total_cost })
      expect(shared.rows.some((row) => row["User-Id"] === null)).toBe(false)
      expect(addAmounts(shared.rows.map(({ allocated }) => allocated))).toBe(none.total_cost)
      expect(addAmounts(shared.rows.map(({ amount }) => amount))).toBe(plain.total.total_cost)
    },
  )

  test("says that nothing is shared if there is no such group, and rejects another name", async () => {
    const invoice = await invoiceOf("2026-07", { allocation: "User-Id=nobody" })
    expect(invoice.allocation).toBeUndefined()
    expect(invoice.notes).toContain("there is no cost of User-Id=nobody in this month to share")
    expect(() => parseAllocation("Team=(none)", parseDimensions("User-Id")[0]!)).toThrow(/^allocate: expected User-Id=/)
  })
})

describe("a forecast", () => {
  const forecast = (now: number, user: string, month = "this-month") =>
    forecastUsage(
      { database, now: () => now },
      {
        period: parseNamedPeriod("month", month, { now, tz: "UTC" }),
        filters: parseFilters({ where: [`User-Id=${user}`] }),
        pattern: { since: now - (now % DAY) - 56 * DAY, until: now - (now % DAY), tz: "UTC" },
      },
    )
  const DAY = 86_400_000
  const iso = (at: number) => new Date(at).toISOString()
  beforeAll(async () => {
    // Three whole weeks before 20 November (a Friday): each day costs 1, but Saturdays and Sundays cost 0.1, and the first week twice as much.
    const rows = Array.from({ length: 21 }, (_, i) => {
      const at = Date.parse("2026-10-30T09:00:00Z") + i * DAY
      const isWeekend = [0, 6].includes(new Date(at).getUTCDay())
      const cost = formatDecimal(parseDecimal(isWeekend ? "0.1" : "1") * (i < 7 ? 2n : 1n))
      return { at: iso(at), cost, metadata: { "User-Id": "steady" } }
    })
    await insertRows(client, [
      ...rows,
      { at: "2026-11-20T08:00:00Z", cost: "0.5", metadata: { "User-Id": "steady" } },
      { at: "2026-11-12T08:00:00Z", cost: "7", metadata: { "User-Id": "new" } },
      { at: "2026-11-19T08:00:00Z", cost: "7", metadata: { "User-Id": "new" } },
    ])
  })

  test("is what was spent, half of today, and each day as the same day of the week, with the range of the weeks", async () => {
    const found = await forecast(NOW, "steady")
    // From 1 to 19 November: 5 days of the first week (Sunday 0.2, four of 2), and two weeks of 5.2.
    const spent = parseDecimal("0.2") + parseDecimal("8") + parseDecimal("10.4") + parseDecimal("0.5")
    // Left: half of Friday, four days of weekends and six others (21 to 30 November).
    const rest = parseDecimal("0.5") + parseDecimal("0.4") + parseDecimal("6")
    expect(found).toMatchObject({
      to_date: formatDecimal(spent),
      low: formatDecimal(spent + rest),
      high: formatDecimal(spent + 2n * rest),
      forecast: formatDecimal(spent + (4n * rest) / 3n),
      weeks: 3,
    })
    expect(found.notes.at(-1)).toMatch(/^assumes that each remaining day costs .* in the last 3 weeks/)
  })

  test("is not guessed from less than two weeks", async () => {
    const found = await forecast(NOW, "new")
    expect(found).toMatchObject({ to_date: "14", forecast: null, low: null, high: null })
    expect(found.notes.at(-1)).toMatch(/^too little is known/)
  })

  test("of a month that has ended is its cost", async () => {
    const found = await forecast(NOW, "steady", "2026-10")
    expect(found).toMatchObject({ to_date: "2.2", forecast: null })
    expect(found.notes.at(-1)).toBe("the month has ended: its cost is to_date")
  })
})

describe("what-if", () => {
  let prices: PriceBook
  beforeAll(async () => {
    const base = (input: string) => ({ input, output: "2", cacheRead: "0.5" })
    const tier = { above: 1000, rates: { input: "8", output: "16", cacheRead: "4" } }
    const overrides = { used: [{ base: base("1"), tiers: [] }], other: [{ base: base("4"), tiers: [tier] }] }
    prices = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: () => NOW, log: () => {}, overrides })
    const row = { at: "2026-03-02T00:00:00Z", model: "used", input: 600, cached: 400, output: 500 }
    await insertRows(client, [
      { ...row, cost: "0.0014", metadata: { Team: "a" } },
      { ...row, cost: "0.0014", metadata: { Team: "b" } },
      { ...row, input: 2000, cached: 1000, cost: "0.0025", metadata: { Team: "b" } },
      { ...row, cost: null, status: "unpriced", metadata: { Team: "b" } },
    ])
  })
  afterAll(() => prices.close())
  const run = (to: string, where: readonly string[] = [], whose: "then" | "now" = "then") =>
    computeWhatIf(
      { database, prices, now: () => NOW, log: () => {}, findFormat: () => "openai" },
      {
        period: monthOf("2026-03", "UTC"),
        filters: parseFilters({ where }),
        from: "used",
        to,
        provider: undefined,
        prices: whose,
      },
    )

  test.each(["then", "now"] as const)(
    "prices the same tokens, with caches and context tiers, at prices of %s",
    async (whose) => {
      const found = await run("other", [], whose)
      // 200 × 4 + 400 × 0.5 + 500 × 2, twice; and above 1000 tokens 1000 × 8 + 1000 × 4 + 500 × 16; per million.
      expect(found.total).toMatchObject({
        requests: 3,
        total_cost: "0.0053",
        what_if_cost: "0.024",
        difference: "0.0187",
      })
      expect(found.not_priced).toEqual([
        { provider: "openai", model: "used", requests: 1, reason: "its recorded cost is not known" },
      ])
    },
  )

  test("takes filters by metadata", async () => {
    expect((await run("other", ["Team=a"])).total).toMatchObject({ requests: 1, what_if_cost: "0.002" })
  })

  test("says what cannot be priced, and does not guess it", async () => {
    const found = await run("nobody-knows-this-model")
    expect(found.total).toMatchObject({ requests: 0, what_if_cost: "0" })
    expect(found.not_priced.map(({ requests }) => requests)).toEqual([3, 1])
    expect(found.not_priced[0]!.reason).toMatch(/nobody-knows-this-model/)
  })
})

test("a report is compared group by group with another period, and shows groups that only that one has", async () => {
  const [now, before] = [monthOf("2026-03", "UTC"), monthOf("2026-02", "UTC")]
  await insertRows(client, [
    { at: "2026-02-02T00:00:00Z", model: "used", cost: "0.5" },
    { at: "2026-02-03T00:00:00Z", model: "gone", cost: "0.25" },
  ])
  const question = { by: parseDimensions("model"), period: now, filters: NO_FILTERS, comparedWith: before }
  const { answer, before: earlier } = await reportUsage({ database }, question)
  expect(answer.rows.map(({ values, requests }) => [values[0], requests])).toEqual([
    ["used", 4],
    ["gone", 0],
  ])
  expect([answer.total.total_cost, earlier!.total.total_cost]).toEqual(["0.0053", "0.75"])
})
