import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import {
  askRollupState,
  askUsage,
  type Filters,
  findDimension,
  missesPrunedRows,
  NO_ROLLUPS,
  type RollupState,
  readRollupState,
  readUsage,
  type UsageQuestion,
} from "../../src/reports/index.ts"
import { planUsage } from "../../src/reports/plan.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertRandomUsage } from "../support/random-usage.ts"
import { everyNth } from "../support/thorough.ts"
import { insertKey } from "../support/usage-rows.ts"

let home: TestDatabase
let client: pg.Client
let rollups: RollupState

beforeAll(async () => {
  home = await createTestDatabase()
  client = new pg.Client({ connectionString: home.url })
  await client.connect()
  const keys = [await insertKey(client, "alpha"), await insertKey(client, "beta"), await insertKey(client, "alpha")]
  await client.query(
    "INSERT INTO llm_usage_metadata_names (name, every_key, summed, indexed) VALUES ('User-Id', true, true, true)",
  )
  // Days from the middle of that week on were not over when their rows arrived.
  await client.query("UPDATE majordomo_schema SET folded_before = '2026-10-15'")
  // The period contains the end of summer time in Europe and America, and its start in Australia.
  const time = { since: "2026-09-25T00:00:00Z", until: "2026-11-20T00:00:00Z" }
  await insertRandomUsage(client, { ...time, rows: 4000, keys, seed: 7 })
  rollups = await readState()
})
afterAll(async () => {
  await client.end()
  await home.drop()
})

const readState = async () => readRollupState((await client.query(...toArgs(askRollupState()))).rows)
const toArgs = ({ text, values }: { text: string; values: readonly unknown[] }): [string, unknown[]] => [
  text,
  [...values],
]

async function answer(question: UsageQuestion, on: RollupState) {
  return readUsage((await client.query(...toArgs(askUsage(question, on)))).rows, question)
}

interface Ask {
  readonly by: readonly string[]
  readonly tz: string
  readonly since: string
  readonly until?: string | undefined
  readonly filters?: Filters
}

function toQuestion({ by, tz, since, until, filters = {} }: Ask): UsageQuestion {
  const period = { since: Date.parse(since), until: until === undefined ? undefined : Date.parse(until), tz }
  return { by: by.map((name) => findDimension(name)!), period, filters, sort: "name" }
}

const PERIODS = [
  ["2026-10-01T00:00:00Z", undefined],
  ["2026-10-03T13:27:11.123Z", "2026-11-17T05:59:59.999Z"],
  ["2026-10-24T23:00:00Z", "2026-10-25T22:30:00Z"],
  ["2026-10-25T10:10:00Z", "2026-10-25T10:50:00Z"],
  ["2026-11-19T01:00:00Z", "2026-11-19T02:00:00Z"],
  ["2026-12-24T00:00:00Z", "2026-12-25T00:00:00Z"],
] as const
const ZONES = ["UTC", "Europe/Lisbon", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham"]
const BY = [
  ...[
    [],
    ["model"],
    ["provider"],
    ["key"],
    ["hour"],
    ["day"],
    ["week"],
    ["month"],
    ["User-Id"],
    ["Feature"],
    ["status"],
    ["billing"],
    ["outcome"],
  ],
  ...[
    ["model", "provider"],
    ["key", "model"],
    ["day", "model"],
    ["day", "key"],
    ["month", "key"],
    ["User-Id", "day"],
    ["week", "User-Id"],
    ["status", "key"],
    ["outcome", "User-Id"],
  ],
]
const FILTERS: readonly Filters[] = [
  {},
  { model: "gpt*" },
  { provider: "openai", model: "claude" },
  { key: "alpha" },
  { status: "error" },
  { billing: "subscription", provider: "openai" },
  { where: { "User-Id": "u3" } },
  { where: { "User-Id": "u1*" } },
  { where: { Feature: "chat" }, provider: "gemini" },
]

describe("a report from rollups equals the report from rows, to the last digit", () => {
  describe.each(ZONES.map((tz, zone) => [tz, zone] as const))("in %s", (tz, zone) => {
    test.each(BY.map((by, at) => [by, at] as const))("by %j", async (by, at) => {
      for (const [period, [since, until]] of PERIODS.entries()) {
        // Each filter meets each dimension, each zone and each period, but not all three of them at once.
        for (const filters of everyNth(FILTERS, 3, zone + at + period)) {
          const question = toQuestion({ by, tz, since, until, filters })
          const description = JSON.stringify({ since, until, filters })
          expect(await answer(question, rollups), description).toEqual(await answer(question, NO_ROLLUPS))
        }
      }
    })
  })
})

describe("a report by a name whose earlier days are still being counted equals the report from rows", () => {
  const days = ["2026-10-04T00:00:00Z", "2026-10-25T00:00:00Z", "2026-12-01T00:00:00Z"].map((day) => Date.parse(day))
  const OF_NAME = [["User-Id"], ["User-Id", "day"], ["model"], ["key", "model"], ["hour"]]

  test.each(ZONES)("in %s, with an index of later requests only", async (tz) => {
    for (const [at, since] of days.entries()) {
      const indexed = new Map([["User-Id", since + at * 12_345_678]])
      const partly = { ...rollups, summed: new Set<string>(), countedFrom: new Map([["User-Id", since]]), indexed }
      for (const by of OF_NAME)
        for (const [start, until] of PERIODS) {
          const question = toQuestion({ by, tz, since: start, until, filters: { where: { "User-Id": "u3" } } })
          expect(await answer(question, partly), `${by} ${start}`).toEqual(await answer(question, NO_ROLLUPS))
        }
    }
  })
})

describe("the bill and the API value of subscriptions add up to the costs of all requests", () => {
  test.each([["rollups"], ["rows"]])("by any dimension, from %s", async (from) => {
    const { rows } = await client.query(
      "SELECT trim_scale(sum(total_cost))::text AS cost FROM llm_requests WHERE outcome <> 'gap'",
    )
    for (const by of BY) {
      const result = await answer(
        toQuestion({ by, tz: "Asia/Kolkata", since: "2026-01-01T00:00:00Z" }),
        from === "rows" ? NO_ROLLUPS : rollups,
      )
      const groups = by.length === 0 ? [result.total] : result.rows
      const amounts = groups.flatMap(({ total_cost, subscription_value }) => [
        total_cost ?? "0",
        subscription_value ?? "0",
      ])
      expect(formatDecimal(amounts.map(parseDecimal).reduce((sum, next) => sum + next)), by.join()).toBe(rows[0].cost)
    }
  })

  test("and a filter by billing divides them", async () => {
    const ask = (filters: Filters) =>
      answer(toQuestion({ by: [], tz: "UTC", since: "2026-01-01T00:00:00Z", filters }), rollups)
    const { total } = await ask({})
    expect((await ask({ billing: "api" })).total).toMatchObject({
      total_cost: total.total_cost,
      subscription_requests: 0,
      subscription_value: "0",
    })
    expect((await ask({ billing: "subscription" })).total).toMatchObject({
      requests: total.subscription_requests,
      total_cost: "0",
      subscription_value: total.subscription_value,
    })
  })
})

describe("a report equals the result of plain SQL", () => {
  const MEASURES = `count(*)::int AS requests, sum(input_tokens)::int AS input_tokens, sum(output_tokens)::int AS output_tokens,
    trim_scale(sum(total_cost) FILTER (WHERE cost_status <> 'unpriced' AND billing IS NULL))::text AS total_cost,
    trim_scale(sum(total_cost) FILTER (WHERE billing = 'subscription'))::text AS subscription_value, count(*) FILTER (WHERE cost_status = 'unpriced')::int AS unpriced`
  test.each([
    ["model", "left(model, 255)"],
    ["provider", "provider"],
    ["day", "to_char(created_at AT TIME ZONE 'America/Los_Angeles', 'YYYY-MM-DD')"],
    ["month", "to_char(created_at AT TIME ZONE 'America/Los_Angeles', 'YYYY-MM')"],
    ["User-Id", "raw_metadata ->> 'User-Id'"],
    ["key", "(SELECT name || left(k.id::text, 8) FROM api_keys k WHERE k.id = majordomo_api_key_id)"],
  ])("by %s", async (by, expression) => {
    const since = "2026-10-03T13:27:11.123Z"
    const { rows } = await client.query(
      `SELECT ${expression} AS value, ${MEASURES} FROM llm_requests WHERE outcome <> 'gap' AND created_at >= $1 GROUP BY 1`,
      [since],
    )
    const plain = new Map(rows.map(({ value, ...measures }) => [value, measures]))
    const result = await answer(toQuestion({ by: [by], tz: "America/Los_Angeles", since }), rollups)
    expect(result.rows).toHaveLength(plain.size)
    for (const { values, keyId, ...measures } of result.rows) {
      const value = by === "key" && keyId !== undefined ? `${values[0]}${keyId.slice(0, 8)}` : values[0]
      expect(measures).toMatchObject(plain.get(value ?? null)!)
    }
  })
})

describe("a report reads rollups if they contain everything it needs", () => {
  const source = (ask: Partial<Ask>) => {
    const question = toQuestion({ by: ["model"], tz: "UTC", since: "2026-10-01T00:00:00Z", ...ask })
    const plan = planUsage(question, rollups)
    return plan.from === "rows" ? "rows" : plan.source.table
  }
  test.each<[Partial<Ask>, string]>([
    [{}, "llm_usage_hourly"],
    [{ by: ["day"], tz: "America/Los_Angeles" }, "llm_usage_hourly"],
    [{ by: ["hour"], tz: "Asia/Kolkata" }, "rows"],
    [{ by: ["key"] }, "llm_usage_daily"],
    [{ by: ["model"], filters: { key: "alpha" } }, "llm_usage_daily"],
    [{ by: ["key", "day"] }, "llm_usage_daily"],
    [{ by: ["key", "day"], tz: "America/Los_Angeles" }, "llm_usage_hourly_keys"],
    [{ by: ["day"], tz: "Asia/Kolkata", filters: { key: "alpha" } }, "llm_usage_hourly_keys"],
    [{ by: ["key", "hour"] }, "llm_usage_hourly_keys"],
    [{ by: ["key", "day", "model"], tz: "America/Los_Angeles" }, "rows"],
    [{ by: ["key", "month"], tz: "America/Los_Angeles" }, "llm_usage_hourly_keys"],
    [{ by: ["model", "month"], tz: "America/Los_Angeles", filters: { key: "alpha" } }, "llm_usage_daily"],
    [{ by: ["User-Id"] }, "llm_usage_metadata"],
    [{ by: ["day"], filters: { where: { "User-Id": "u3" } } }, "llm_usage_metadata"],
    [{ by: ["User-Id", "model"] }, "rows"],
    [{ by: ["Feature"] }, "rows"],
    [{ by: ["status"] }, "llm_usage_hourly"],
    [{ by: ["outcome", "key"] }, "llm_usage_daily"],
    [{ filters: { status: "error" } }, "rows"],
  ])("%j: %s", (ask, table) => expect(source(ask)).toBe(table))
})

describe("a name with the maximum number of values in a day", () => {
  const write = (values: string) =>
    client.query(
      `INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code, total_cost, raw_metadata, created_at)
       SELECT 'p', 'm', '/', 'POST', at, at, 1, 200, n * 0.000000000001, jsonb_build_object('Crowd', 'c' || n), at
       FROM generate_series(${values}) n, LATERAL (SELECT '2026-06-02Z'::timestamptz + interval '8 seconds' * n AS at) t`,
    )
  const question = toQuestion({ by: ["Crowd"], tz: "America/Los_Angeles", since: "2026-06-02T07:00:00Z" })
  const signs = (on: RollupState) => {
    const plan = planUsage(question, on)
    return plan.from === "rows" ? [] : plan.edges.map(({ sign }) => sign)
  }

  test("allows subtraction; with one more value, rows are only added", async () => {
    await client.query("BEGIN")
    await client.query("INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('Crowd', true, true)")
    await write("1, 10000")
    const full = await readState()
    expect(signs(full)).toEqual(["-"])
    const rows = await answer(question, NO_ROLLUPS)
    expect(rows.groups).toBeGreaterThan(6000)
    expect(await answer(question, full)).toEqual(rows)
    await write("10001, 10001")
    const over = await readState()
    expect(signs(over)).toEqual(["+"])
    expect(await answer(question, over)).toEqual(await answer(question, NO_ROLLUPS))
    await client.query("ROLLBACK")
  })
})

describe("the rollups of pruned requests stay", () => {
  const since = "2026-10-01T00:00:00Z"
  test("reports from rollups do not change; other reports say that they miss requests", async () => {
    const asks: Ask[] = ["UTC", "Asia/Kolkata", "Europe/Lisbon"].flatMap((tz) =>
      [[], ["model"], ["key"], ["User-Id"], ["month", "key"]].map((by) => ({ by, tz, since })),
    )
    const before = await Promise.all(asks.map((ask) => answer(toQuestion({ ...ask, tz: "UTC" }), rollups)))
    await client.query("BEGIN")
    await client.query("DELETE FROM llm_requests WHERE created_at < '2026-11-01Z'")
    await client.query("UPDATE majordomo_schema SET pruned_before = '2026-11-01Z'")
    const pruned = await readState()
    const after = await Promise.all(asks.map((ask) => answer(toQuestion(ask), pruned)))
    const rebuilt = await client
      .query("SELECT majordomo_count_again()")
      .then(() => answer(toQuestion(asks[1]!), pruned))
    await client.query("ROLLBACK")
    asks.forEach(({ by }, i) => {
      // In another time zone, days are different, but the total is the same.
      expect(after[i]!.total).toEqual(before[i]!.total)
      if (by[0] !== "month") expect(after[i]!.rows).toEqual(before[i]!.rows)
    })
    expect(rebuilt).toEqual(before[1])
    expect(missesPrunedRows(toQuestion({ by: ["model"], tz: "UTC", since }), pruned)).toBe(false)
    expect(missesPrunedRows(toQuestion({ by: ["status"], tz: "UTC", since }), pruned)).toBe(true)
    expect(missesPrunedRows(toQuestion({ by: ["status"], tz: "UTC", since: "2026-11-01T00:00:00Z" }), pruned)).toBe(
      false,
    )
  })

  test("a period that ends in pruned time counts whole hours or days, each in exactly one period", async () => {
    const pruned: RollupState = { ...rollups, prunedBefore: Date.parse("2026-11-01T00:00:00Z") }
    const middle = "2026-10-20T10:30:00Z"
    const total = async (from: string, until: string) =>
      (await answer(toQuestion({ by: [], tz: "UTC", since: from, until }), pruned)).total.requests
    const end = "2026-11-05T00:00:00Z"
    expect((await total(since, middle)) + (await total(middle, end))).toBe(await total(since, end))
  })
})

test("TRUNCATE empties the rollups, and gaps do not count as requests", async () => {
  await client.query("BEGIN")
  await client.query("TRUNCATE llm_requests")
  const { total } = await answer(toQuestion({ by: ["key"], tz: "UTC", since: "2026-01-01T00:00:00Z" }), rollups)
  await client.query("ROLLBACK")
  expect(total.requests).toBe(0)
})
