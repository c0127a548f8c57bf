import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { askRecorded, readRecorded } from "../../src/reports/index.ts"
import { describeDatabases } from "../support/databases.ts"
import { line, storeBoth, variedRows } from "./_certificates.ts"

const QUESTION = { provider: "openai", since: "2026-11-01", until: "2026-11-03" }

/** Reads rows that are stored whole, and then the same ones with cards: both must give the same. */
async function read(db: Database, rows: readonly object[]) {
  const [whole, carded] = await storeBoth(db, rows, async () =>
    readRecorded((await db.query(askRecorded(QUESTION))).rows, QUESTION),
  )
  expect({ ...carded, lines: sorted(carded.lines), requests: sorted(carded.requests) }).toEqual({
    ...whole,
    lines: sorted(whole.lines),
    requests: sorted(whole.requests),
  })
  return whole
}

describeDatabases("the recorded side of a bill", (open) => {
  let opened: Promise<Database> | undefined
  const database = () => (opened ??= open())

  test("contains what clients reported, so that it is not outside, as estimates", async () => {
    const side = await read(await database(), [{}, { source: "telemetry", provider_api_key_alias: undefined }])
    expect(new Set(side.requests.map(({ kind, requests }) => `${requests} ${kind}`))).toEqual(
      new Set(["1 metered", "1 estimated"]),
    )
  })

  test("is the same for requests with few and many values, tiers, factors, tools, reported costs and credentials", async () => {
    const db = await database()
    const { lines } = await read(db, variedRows())
    expect(lines.length).toBeGreaterThan(100)
    const { rows: stored } = await db.query(`SELECT count(card)::int AS carded,
      count(card) FILTER (WHERE cardinality(string_to_array(card_values, ',')) > 12)::int AS long FROM llm_requests`)
    expect(stored).toEqual([{ carded: 300, long: expect.toSatisfy((long: number) => long > 50) }])
  })

  test("adds up the lines of price certificates by day, model, tier, credential and rate", async () => {
    const side = await read(await database(), [
      {},
      {},
      { created_at: "2026-11-02T00:00:00Z", requested_at: "2026-11-01T23:59:59Z" },
    ])
    const of = { model: "gpt-5-2026-01-01", tier: undefined, credential: "main", kind: "metered" }
    const price = { per: "million", discount: "1", source: "llm-prices.com", date: "2026-10-30" }
    expect(sorted(side.lines)).toEqual(
      sorted([
        {
          ...of,
          day: "2026-11-01",
          began: "2026-11-01",
          bucket: "input",
          quantity: "2000",
          rate: "2",
          cost: "0.004",
          ...price,
        },
        {
          ...of,
          day: "2026-11-01",
          began: "2026-11-01",
          bucket: "output",
          quantity: "200",
          rate: "8",
          cost: "0.0016",
          ...price,
        },
        {
          ...of,
          day: "2026-11-01",
          began: "2026-11-01",
          bucket: "output",
          quantity: "100",
          rate: "8",
          cost: "0.0008",
          ...price,
        },
        {
          ...of,
          day: "2026-11-02",
          began: "2026-11-01",
          bucket: "input",
          quantity: "1000",
          rate: "2",
          cost: "0.002",
          ...price,
        },
        {
          ...of,
          day: "2026-11-02",
          began: "2026-11-01",
          bucket: "output",
          quantity: "100",
          rate: "8",
          cost: "0.0008",
          ...price,
        },
        {
          ...of,
          day: "2026-11-02",
          began: "2026-11-01",
          bucket: "output",
          quantity: "50",
          rate: "8",
          cost: "0.0004",
          ...price,
        },
      ]),
    )
    expect(sorted(side.requests)).toEqual(
      sorted([
        { ...of, day: "2026-11-01", began: "2026-11-01", requests: 2 },
        { ...of, day: "2026-11-02", began: "2026-11-01", requests: 1 },
      ]),
    )
  })

  test("contains requests across both midnights of the period, and no others", async () => {
    const side = await read(await database(), [
      { requested_at: "2026-10-31T23:59:59Z", created_at: "2026-11-01T00:00:01Z" },
      { requested_at: "2026-11-02T23:59:59Z", created_at: "2026-11-03T00:00:01Z" },
      { requested_at: "2026-10-31T23:00:00Z", created_at: "2026-10-31T23:59:59Z" },
      { requested_at: "2026-11-03T00:00:00Z", created_at: "2026-11-03T00:00:01Z" },
      { provider: "anthropic" },
      { billing: "subscription" },
      { outcome: "rejected" },
      { outcome: "gap" },
      { cost_status: "free", usage_source: "none", price: { lines: [], reason: "free" }, total_cost: "0" },
    ])
    expect(side.requests.map(({ began, day, requests }) => [began, day, requests]).sort()).toEqual([
      ["2026-10-31", "2026-11-01", 1],
      ["2026-11-02", "2026-11-03", 1],
    ])
  })

  test("separates the kinds of requests whose usage is not metered", async () => {
    const none = { usage_source: "none", price: undefined, total_cost: undefined, cost_status: "unpriced" }
    const side = await read(await database(), [
      { usage_source: "estimated" },
      { ...none, outcome: "client_left" },
      { ...none, status_code: 502, cost_status: "free", total_cost: "0" },
      none,
    ])
    expect(side.requests.map(({ kind }) => kind).sort()).toEqual(["cut_off", "estimated", "failed", "unreported"])
  })

  test("has the tokens of requests without a price, and no cost for them", async () => {
    const tokens = { input_tokens: 1000, cached_tokens: 300, output_tokens: 70 }
    const side = await read(await database(), [
      { ...tokens, price: { lines: [], reason: "no price" }, cost_status: "unpriced", total_cost: undefined },
    ])
    expect(side.lines.map(({ bucket, quantity, rate, cost }) => ({ bucket, quantity, rate, cost }))).toEqual([
      { bucket: "input", quantity: "700", rate: undefined, cost: undefined },
      { bucket: "cache_read", quantity: "300", rate: undefined, cost: undefined },
      { bucket: "output", quantity: "70", rate: undefined, cost: undefined },
    ])
  })

  test("says the rate with the multiplier of the tier, and the discount apart from it", async () => {
    const factors = [
      { name: "tier batch", value: "0.5" },
      { name: "discount", value: "0.9", fees: true },
    ]
    const lines = [
      line("input", 1000, "2", "0.0009", { factor: "0.45" }),
      line("webSearches", 2, "0.01", "0.018", { factor: "0.9", per: "one" }),
    ]
    const side = await read(await database(), [{ price: { lines, tier: "batch", factors }, total_cost: "0.0189" }])
    expect(
      side.lines.map(({ tier, bucket, rate, discount, cost, per }) => ({ tier, bucket, rate, discount, cost, per })),
    ).toEqual([
      { tier: "batch", bucket: "input", rate: "1", discount: "0.9", cost: "0.0009", per: "million" },
      { tier: "batch", bucket: "tool", rate: "0.01", discount: "0.9", cost: "0.018", per: "one" },
    ])
  })

  test("adds up to the total cost where the provider reported its own figure, and names models that helped", async () => {
    const lines = [line("input", 1000, "2", "0.002"), line("output", 10, "1", "0.00001", { model: "advisor-1" })]
    const side = await read(await database(), [
      { price: { lines, reported: "0.003", computed: "0.00201" }, total_cost: "0.003" },
    ])
    expect(sorted(side.lines.map(({ model, bucket, cost }) => ({ model, bucket, cost })))).toEqual(
      sorted([
        { model: "gpt-5-2026-01-01", bucket: "input", cost: "0.002" },
        { model: "advisor-1", bucket: "output", cost: "0.00001" },
        { model: "gpt-5-2026-01-01", bucket: "all", cost: "0.00099" },
      ]),
    )
  })
})

function sorted<Value>(list: readonly Value[]): readonly Value[] {
  return list.toSorted((a, b) => (JSON.stringify(order(a)) < JSON.stringify(order(b)) ? -1 : 1))
}

function order(value: unknown) {
  return Object.entries(value as object).sort()
}
