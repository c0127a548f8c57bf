import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { CardBook } from "../../src/database/ledger/cards/card-book.ts"
import { storeNewCards } from "../../src/database/ledger/cards/store.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import { toLine } from "../../src/database/ledger/serialize.ts"
import { askRecorded, readRecorded } from "../../src/reports/index.ts"
import { aRecord } from "../database/_ledger.ts"
import { describeDatabases } from "../support/databases.ts"

const QUESTION = { provider: "openai", since: "2026-11-01", until: "2026-11-03" }
const line = (bucket: string, quantity: number, rate: string, amount: string, more = {}) => ({
  ...{ side: bucket === "output" ? "output" : "input", bucket, model: "gpt-5", quantity, rate, per: "million" },
  ...{ factor: "1", amount, source: "llm-prices.com", date: "2026-10-30", ...more },
})
const LINES = [
  line("input", 1000, "2", "0.002"),
  line("output", 100, "8", "0.0008"),
  line("reasoning", 50, "8", "0.0004"),
] as never

const row = (more: object) =>
  aRecord({
    ...{ provider: "openai", model: "gpt-5-2026-01-01", provider_api_key_alias: "main", usage_source: "reported" },
    ...{
      requested_at: "2026-11-01T10:00:00Z",
      created_at: "2026-11-01T10:00:01Z",
      outcome: "complete",
      status_code: 200,
    },
    ...{ cost_status: "exact", total_cost: "0.0032", price: { lines: LINES }, billing: undefined, ...more },
  } as never)

/** Reads rows that are stored whole, and then the same ones with cards: both must give the same. */
async function read(db: Database, rows: readonly object[]) {
  const records = rows.map(row)
  const whole = await readStored(db, JSON.stringify(records), rows.length)
  const book = new CardBook()
  const lines = records.map((record) => toLine(record, book.find(record)))
  await storeNewCards(db, book, 60_000)
  const carded = await readStored(db, `[${lines.join()}]`, rows.length)
  expect({ ...carded, lines: sorted(carded.lines), requests: sorted(carded.requests) }).toEqual({
    ...whole,
    lines: sorted(whole.lines),
    requests: sorted(whole.requests),
  })
  return whole
}

async function readStored(db: Database, lines: string, count: number) {
  await db.query("TRUNCATE llm_requests")
  await insertRows(db.query, lines, { count })
  return readRecorded((await db.query(askRecorded(QUESTION))).rows, QUESTION)
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
    const random = (i: number, n: number) => (Math.imul(i + 1, 2654435761) % n) >>> 0
    const rows = Array.from({ length: 300 }, (_, i) => {
      const [input, output, searches] = [1 + random(i, 5000), 1 + random(i * 7, 900), random(i, 3)]
      const lines = [
        line("input", input, "2", String((input * 2) / 1e6)),
        line("output", output, "8.5", String((output * 85) / 1e7)),
        ...(searches > 0 ? [line("webSearches", searches, "0.01", String(searches / 100), { per: "one" })] : []),
      ]
      const details = Object.fromEntries(
        Array.from({ length: i % 20 }, (_, n) => [`detail ${n}`, random(i + n, 90) + 1]),
      )
      const price = {
        ...{ lines, tier: i % 3 === 0 ? "batch" : undefined },
        factors: i % 4 === 0 ? [{ name: "tier", value: "0.5" }] : undefined,
        ...(i % 5 === 0 ? { reported: "0.1234", computed: "0.12" } : {}),
      }
      return {
        price,
        ...{ model: `gpt-5-${i % 7}`, total_cost: i % 11 === 0 ? undefined : `0.00${1000 + i}` },
        usage: { prompt_tokens: input, completion_tokens: output, ...details },
        usage_source: i % 6 === 0 ? "estimated" : "reported",
        provider_api_key_alias: i % 2 === 0 ? "main" : undefined,
        provider_api_key_hash: String(i % 5).repeat(64),
      }
    })
    const db = await database()
    const { lines } = await read(db, rows)
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
