import OpenAI from "openai"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { formatDecimal, parseDecimal } from "../../../src/core/decimal.ts"
import type { Bill } from "../../../src/core/reconciliation.ts"
import { createSource } from "../../../src/reconcile/sources/index.ts"
import { plantLate, plantShift } from "../../support/billing-provider/plantings.ts"
import { ADMIN_KEYS, type BillingProvider, startBillingProvider, totalOf } from "../../support/billing-provider.ts"

const NOW = Date.parse("2026-11-28T15:30:00Z")
const RANGE = { since: "2026-10-01", until: "2026-11-29" }

let provider: BillingProvider
beforeAll(async () => {
  provider = await startBillingProvider({ now: NOW })
})
beforeEach(() => provider.reset())
afterAll(() => provider.close())

const at = (day: string, time = "12:00:00") => Date.parse(`${day}T${time}Z`)

function fetchBill(options: Partial<Parameters<typeof createSource>[1]> = {}, range = RANGE): Promise<Bill> {
  const source = createSource("openai", {
    credential: ADMIN_KEYS.openai,
    baseUrl: provider.origin,
    now: () => NOW,
    ...options,
  })
  return source.fetchBill(range)
}

const sum = (texts: readonly (string | undefined)[]) =>
  formatDecimal(texts.reduce((all, text) => all + parseDecimal(text ?? "0"), 0n))

describe("the bill of OpenAI", () => {
  test("has the tokens of the usage reports in buckets that do not overlap, with the requests once", async () => {
    provider.serve({
      provider: "openai",
      at: at("2026-11-02"),
      model: "gpt-5",
      tier: "priority",
      requests: 3,
      quantities: { input: 700, cache_read: 300, output: 50, tool: 2 },
    })
    const { lines } = await fetchBill()
    const group = { day: "2026-11-02", model: "gpt-5", key: "key_app", project: "proj_app" }
    const usage = lines.filter(({ cost }) => cost === undefined)
    expect(usage).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...group, tier: "priority", bucket: "input", quantity: "700" }),
        expect.objectContaining({ ...group, tier: "priority", bucket: "cache_read", quantity: "300" }),
        expect.objectContaining({ ...group, tier: "priority", bucket: "output", quantity: "50" }),
        expect.objectContaining({ ...group, tier: undefined, bucket: "tool", quantity: "2", item: "web searches" }),
      ]),
    )
    expect(usage).toHaveLength(4)
    expect(usage.flatMap(({ requests }) => requests ?? [])).toEqual([3])
  })

  test("has the costs by model, bucket, tier, key and project, to the last digit, and no quantity twice", async () => {
    const work = provider.serve({
      provider: "openai",
      at: at("2026-11-02"),
      model: "gpt-4o-mini-2024-07-18",
      quantities: { input: 86, output: 1 },
    })
    provider.charge({
      provider: "openai",
      at: at("2026-11-03"),
      item: "vector storage",
      amount: "0.100000000000000001",
    })
    const { lines } = await fetchBill()
    const costs = lines.filter(({ cost }) => cost !== undefined)
    expect(costs).toMatchObject([
      { day: "2026-11-02", model: "gpt-4o-mini-2024-07-18", bucket: "input", cost: "0.0000129", quantity: undefined },
      { day: "2026-11-02", bucket: "output", cost: "0.0000006", key: "key_app", project: "proj_app" },
      { day: "2026-11-03", bucket: "storage", cost: "0.100000000000000001", quantity: "1", item: "vector storage" },
    ])
    expect(sum(costs.slice(0, 2).map(({ cost }) => cost))).toBe(totalOf(provider.books, [work]))
  })

  test("is of whole UTC days, of which the current one is read until now", async () => {
    const quantities = { input: 1_000_000 }
    const served = ["2026-11-27T23:59:59.999Z", "2026-11-28T00:00:00Z", "2026-11-28T15:00:00Z"]
    for (const time of [...served, "2026-10-31T23:59:59Z"]) {
      provider.serve({ provider: "openai", at: Date.parse(time), model: "gpt-5", quantities })
    }
    const bill = await fetchBill({}, { since: "2026-11-01", until: "2026-12-01" })
    const inputs = bill.lines.filter(({ quantity }) => quantity !== undefined)
    expect(inputs.map(({ day, quantity }) => [day, quantity])).toEqual([
      ["2026-11-27", "1000000"],
      ["2026-11-28", "2000000"],
    ])
    expect(bill).toMatchObject({ since: "2026-11-01", until: "2026-12-01", account: "far-side-org", source: "api" })
    const ends = provider.adminRequests.map(({ query }) => Number(query.get("end_time")) * 1000)
    expect(new Set(ends)).toEqual(new Set([NOW]))
  })

  test("has what is reported late when it is reported, and what is counted in another day in that day", async () => {
    const one = { provider: "openai", at: at("2026-11-10"), quantities: { input: 1000 } } as const
    for (const model of ["gpt-5", "gpt-4o-mini"]) provider.serve({ ...one, model })
    plantLate(provider, { api: "openai", model: "gpt-5", at: one.at }, NOW + 1)
    plantShift(provider, { api: "openai", model: "gpt-4o-mini", at: one.at })
    const modelsByDay = async () => {
      const { lines } = await fetchBill({}, { since: "2026-11-09", until: "2026-11-11" })
      return lines.flatMap(({ day, model, cost }) => (cost === undefined ? [] : [`${day} ${model}`]))
    }
    expect(await modelsByDay()).toEqual(["2026-11-09 gpt-4o-mini"])
    provider.setTime(NOW + 1)
    expect(await modelsByDay()).toEqual(["2026-11-09 gpt-4o-mini", "2026-11-10 gpt-5"])
  })

  test("is asked for in ranges of at most 31 days of usage and 180 days of costs", async () => {
    for (const month of ["06", "07", "11"]) {
      const quantities = { input: 1000, output: 10 }
      provider.serve({ provider: "openai", at: at(`2026-${month}-03`), model: "gpt-5", quantities })
    }
    const bill = await fetchBill({}, { since: "2026-05-30", until: "2026-11-29" })
    const days = (path: string) =>
      provider.adminRequests
        .filter((request) => request.path === path)
        .map(({ query }) => Math.ceil((Number(query.get("end_time")) - Number(query.get("start_time"))) / 86_400))
    expect(days("/v1/organization/costs")).toEqual([180, 3])
    expect(days("/v1/organization/usage/completions")).toEqual([31, 31, 31, 31, 31, 28])
    expect(sum(bill.lines.map(({ cost }) => cost))).toBe(totalOf(provider.books, provider.books.works))
  })

  test("can be limited to projects and keys", async () => {
    const one = { provider: "openai", model: "gpt-5", quantities: { input: 1000 } } as const
    const mine = provider.serve({ ...one, at: at("2026-11-02"), key: "key_a", project: "proj_a" })
    provider.serve({ ...one, at: at("2026-11-02"), key: "key_b", project: "proj_a" })
    provider.serve({ ...one, at: at("2026-11-02"), key: "key_a", project: "proj_b" })
    const bill = await fetchBill({ projects: ["proj_a"], keys: ["key_a"] })
    expect(sum(bill.lines.map(({ cost }) => cost))).toBe(totalOf(provider.books, [mine]))
    expect(bill.notes).toEqual([
      "OpenAI cannot limit code interpreter sessions and vector stores to API keys, so their usage is left out.",
    ])
  })

  test("says the same as the official SDK reads page by page", async () => {
    for (let day = 1; day <= 28; day++) {
      provider.serve({
        provider: "openai",
        at: at(`2026-11-${String(day).padStart(2, "0")}`, "08:00:00"),
        model: day % 2 ? "gpt-5" : "gpt-4o-mini",
        quantities: { input: 1000 * day, cache_read: 10 * day, output: day },
      })
    }
    const client = new OpenAI({ adminAPIKey: ADMIN_KEYS.openai, baseURL: `${provider.origin}/v1`, maxRetries: 0 })
    const query = { start_time: at("2026-11-01", "00:00:00") / 1000, end_time: NOW / 1000, limit: 3 }
    let input = 0
    let page: string | undefined
    do {
      const found = await client.admin.organization.usage.completions({
        ...query,
        group_by: ["model"],
        ...(page && { page }),
      })
      for (const { results } of found.data) {
        for (const row of results) if ("input_tokens" in row) input += row.input_tokens
      }
      page = found.next_page ?? undefined
    } while (page !== undefined)
    const costs = await client.admin.organization.usage.costs({ ...query, limit: 180 })
    const dollars = costs.data.flatMap(({ results }) =>
      results.map((row) => (row.object === "organization.costs.result" ? (row.amount?.value ?? 0) : 0)),
    )
    const { lines } = await fetchBill({}, { since: "2026-11-01", until: "2026-11-29" })
    const inputs = lines.filter(({ bucket }) => bucket === "input" || bucket === "cache_read")
    expect(sum(inputs.map(({ quantity }) => quantity))).toBe(String(input))
    expect(Number(sum(lines.map(({ cost }) => cost)))).toBeCloseTo(
      dollars.reduce((a, b) => a + b, 0),
      12,
    )
  })
})
