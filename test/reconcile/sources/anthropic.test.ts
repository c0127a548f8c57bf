import Anthropic from "@anthropic-ai/sdk"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { formatDecimal, parseDecimal } from "../../../src/core/decimal.ts"
import type { Bill } from "../../../src/core/reconciliation.ts"
import { createSource } from "../../../src/reconcile/sources/index.ts"
import { ADMIN_KEYS, type BillingProvider, startBillingProvider, totalOf } from "../../support/billing-provider.ts"

const NOW = Date.parse("2026-11-28T15:30:00Z")
const RANGE = { since: "2026-11-01", until: "2026-11-29" }
const WORK = {
  provider: "anthropic",
  model: "claude-sonnet-4-5",
  key: "apikey_app",
  project: "wrkspc_app",
  quantities: { input: 1001, cache_read: 70, cache_write: 50, cache_write_1h: 30, output: 7, tool: 1 },
} as const

let provider: BillingProvider
beforeAll(async () => {
  provider = await startBillingProvider({ now: NOW })
})
beforeEach(() => provider.reset())
afterAll(() => provider.close())

const at = (day: string) => Date.parse(`${day}T12:00:00Z`)

function fetchBill(options: Partial<Parameters<typeof createSource>[1]> = {}, range = RANGE): Promise<Bill> {
  const base = { credential: ADMIN_KEYS.anthropic, baseUrl: provider.origin, now: () => NOW }
  return createSource("anthropic", { ...base, ...options }).fetchBill(range)
}

const sum = (texts: readonly (string | undefined)[]) =>
  formatDecimal(texts.reduce((all, text) => all + parseDecimal(text ?? "0"), 0n))

describe("the bill of Anthropic", () => {
  test("has tokens, list price and amount of each bucket in one line, in dollars", async () => {
    provider.serve({ ...WORK, at: at("2026-11-02"), requests: 4 })
    provider.books.discounts.anthropic = "0.1"
    const bill = await fetchBill()
    const group = { day: "2026-11-02", model: "claude-sonnet-4-5", tier: "standard", key: "apikey_app" }
    expect(bill).toMatchObject({ source: "api", notes: [], provider: "anthropic" })
    const byBucket = Object.fromEntries(bill.lines.map((line) => [line.bucket, line]))
    expect(byBucket).toMatchObject({
      input: { ...group, project: "wrkspc_app", quantity: "1001", listCost: "0.003003", cost: "0.0027027" },
      cache_read: { ...group, quantity: "70", listCost: "0.000021", cost: "0.0000189" },
      cache_write: { ...group, quantity: "50", listCost: "0.0001875", cost: "0.00016875" },
      cache_write_1h: { ...group, quantity: "30", listCost: "0.00018", cost: "0.000162" },
      output: { ...group, quantity: "7", listCost: "0.000105", cost: "0.0000945" },
      tool: { ...group, quantity: "1", listCost: "0.01", cost: "0.009", item: "web search" },
    })
    expect(bill.lines).toHaveLength(6)
    expect(bill.lines.flatMap(({ requests }) => requests ?? [])).toEqual([4])
  })

  test("has the costs outside of tokens in lines of their own", async () => {
    const one = { provider: "anthropic", at: at("2026-11-02"), amount: "0.05" } as const
    for (const item of ["code_execution", "session_usage", "something_new"]) provider.charge({ ...one, item })
    const { lines } = await fetchBill()
    expect(lines.map(({ bucket, item, cost }) => [bucket, item, cost])).toEqual([
      ["other", "something new", "0.05"],
      ["session", "code execution", "0.05"],
      ["session", "session usage", "0.05"],
    ])
  })

  test("is complete over many pages and over ranges of at most 31 days", async () => {
    for (let number = 0; number < 1001; number++) {
      provider.serve({ ...WORK, at: at("2026-11-02"), key: `apikey_${number}`, quantities: { input: number + 1 } })
    }
    provider.serve({ ...WORK, at: at("2026-08-15") })
    const bill = await fetchBill({}, { since: "2026-08-01", until: "2026-11-29" })
    expect(sum(bill.lines.map(({ cost }) => cost))).toBe(totalOf(provider.books, provider.books.works))
    expect(bill.lines.filter(({ day }) => day === "2026-11-02")).toHaveLength(1001)
    const usage = provider.adminRequests.filter(({ path }) => path.endsWith("/usage"))
    expect(usage.map(({ query }) => query.get("starting_at")?.slice(0, 10))).toEqual([
      "2026-08-01",
      "2026-09-01",
      "2026-10-02",
      "2026-11-02",
      "2026-11-02",
    ])
  })

  test("can be limited to workspaces and keys", async () => {
    const mine = provider.serve({ ...WORK, at: at("2026-11-02") })
    provider.serve({ ...WORK, at: at("2026-11-02"), key: "apikey_other" })
    provider.serve({ ...WORK, at: at("2026-11-02"), project: "wrkspc_other" })
    const bill = await fetchBill({ workspaces: ["wrkspc_app"], keys: ["apikey_app"] })
    expect(sum(bill.lines.map(({ cost }) => cost))).toBe(totalOf(provider.books, [mine]))
  })

  test("says the same as the official SDK reads over all pages", async () => {
    for (let day = 10; day <= 28; day++) {
      const tier = day % 2 === 0 ? "batch" : "standard"
      provider.serve({ ...WORK, at: at(`2026-11-${day}`), tier, quantities: { input: 10_001 * day, output: day } })
    }
    const client = new Anthropic({ apiKey: ADMIN_KEYS.anthropic, baseURL: provider.origin, maxRetries: 0 })
    const { analytics } = client.beta.organization
    const query = { starting_at: "2026-11-01T00:00:00Z", ending_at: "2026-11-28T15:30:00Z", limit: 5 }
    const read = { input: 0, output: 0, cents: 0n, listCents: 0n }
    const daily = { ...query, time_bucket_width: "1d" as const }
    for await (const { usage } of analytics.usage.list({ ...daily, group_by: ["model", "service_tier"] })) {
      read.input += usage.uncached_input_tokens
      read.output += usage.output_tokens
    }
    for await (const { cost } of analytics.cost.list({ ...daily, group_by: ["model", "cost_type", "token_type"] })) {
      read.cents += parseDecimal(cost.amount)
      read.listCents += parseDecimal(cost.list_amount)
    }
    const { lines } = await fetchBill()
    const of = (bucket: string) => lines.filter((line) => line.bucket === bucket).map(({ quantity }) => quantity)
    expect(sum(of("input"))).toBe(String(read.input))
    expect(sum(of("output"))).toBe(String(read.output))
    expect(parseDecimal(sum(lines.map(({ cost }) => cost))) * 100n).toBe(read.cents)
    expect(parseDecimal(sum(lines.map(({ listCost }) => listCost))) * 100n).toBe(read.listCents)
  })
})

describe("the legacy reports of Anthropic", () => {
  test.each(["not_found", "not_available"] as const)("are read where the newer ones are %s", async (analytics) => {
    provider.analytics = analytics
    provider.serve({ ...WORK, at: at("2026-11-02") })
    provider.serve({ ...WORK, at: at("2026-11-28"), project: "wrkspc_other" })
    provider.charge({ provider: "anthropic", at: at("2026-11-03"), item: "code_execution", amount: "0.05" })
    const bill = await fetchBill()
    expect(bill).toMatchObject({
      source: "legacy-api",
      notes: ["Anthropic's legacy cost report has no costs of the priority tier, and no costs of single API keys."],
    })
    const worth = parseDecimal(totalOf(provider.books, provider.books.works))
    expect(parseDecimal(sum(bill.lines.map(({ cost }) => cost)))).toBe(worth + parseDecimal("0.05"))
    const input = bill.lines.filter(({ day, bucket }) => day === "2026-11-02" && bucket === "input")
    expect(input).toMatchObject([
      { key: "apikey_app", project: "wrkspc_app", quantity: "1001", cost: undefined },
      { key: undefined, project: "wrkspc_app", quantity: undefined, cost: "0.003003", listCost: undefined },
    ])
  })

  test("are read for days before the newer ones begin", async () => {
    provider.serve({ ...WORK, at: at("2025-12-20") })
    const bill = await fetchBill({}, { since: "2025-12-01", until: "2026-01-01" })
    expect(bill.source).toBe("legacy-api")
    expect(sum(bill.lines.map(({ cost }) => cost))).toBe(totalOf(provider.books, provider.books.works))
  })

  test("are limited to workspaces, and have no costs if they are limited to keys", async () => {
    provider.analytics = "not_found"
    provider.serve({ ...WORK, at: at("2026-11-02") })
    provider.serve({ ...WORK, at: at("2026-11-02"), project: "wrkspc_other" })
    const ofWorkspace = await fetchBill({ workspaces: ["wrkspc_app"] })
    const [mine] = provider.books.works
    expect(sum(ofWorkspace.lines.map(({ cost }) => cost))).toBe(totalOf(provider.books, [mine!]))
    const ofKey = await fetchBill({ keys: ["apikey_app"] })
    expect(ofKey.lines.every(({ cost }) => cost === undefined)).toBe(true)
    expect(ofKey.notes).toEqual([
      "Anthropic's legacy cost report cannot be limited to API keys, so this bill has tokens and no costs.",
    ])
  })

  test("are not read where the key has no right to the newer ones", async () => {
    provider.failNext({ status: 403, body: { error: { message: "Your key lacks the scope read:analytics." } } })
    await expect(fetchBill()).rejects.toMatchObject({ reason: "forbidden", status: 403 })
  })
})
