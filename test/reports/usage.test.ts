import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { askUsage, type Filters, findDimension, readUsage, type UsageQuestion } from "../../src/reports/index.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertKey, insertRows, type RowSeed } from "../support/usage-rows.ts"

let home: TestDatabase
let client: pg.Client
let alpha: string
let beta: string

beforeAll(async () => {
  home = await createTestDatabase()
  client = new pg.Client({ connectionString: home.url })
  await client.connect()
  alpha = await insertKey(client, "alpha")
  beta = await insertKey(client, "beta")
  const cheap: RowSeed = { key: alpha, model: "gpt-4o-mini", cost: "0.00036", input: 1000, cached: 400, output: 500 }
  await insertRows(client, [
    { ...cheap, at: "2026-10-25T00:30:00Z", metadata: { "User-Id": "1" } }, // 01:30 in Lisbon, summer time
    { ...cheap, at: "2026-10-25T01:30:00Z", metadata: { "User-Id": "1" } }, // 01:30 in Lisbon again, winter time
    { ...cheap, at: "2026-10-31T23:59:59.999Z", metadata: { "User-Id": "2" }, status: "estimated" },
    {
      key: beta,
      model: "claude",
      provider: "anthropic",
      cost: "0.10",
      input: 5,
      output: 7,
      at: "2026-11-01T00:00:00Z",
    },
    {
      key: beta,
      model: "claude",
      provider: "anthropic",
      cost: "0.20",
      input: 5,
      output: 7,
      at: "2026-11-01T12:00:00Z",
    },
    { key: beta, model: "mystery", cost: null, status: "unpriced", input: 9, output: 9, at: "2026-11-01T12:00:00Z" },
    { key: beta, model: "", cost: "0", status: "free", code: 429, at: "2026-11-02T00:00:00Z" },
    {
      key: beta,
      model: "claude",
      provider: "anthropic",
      cost: "0",
      status: "free",
      outcome: "upstream_broke",
      at: "2026-11-02T00:00:00Z",
    },
    { key: beta, model: "", cost: null, status: "unpriced", outcome: "gap", at: "2026-11-02T00:00:00Z" },
  ])
})
afterAll(async () => {
  await client.end()
  await home.drop()
})

async function usage(
  by: string[],
  more: Partial<UsageQuestion> & { tz?: string; since?: string; until?: string } = {},
) {
  const { tz = "UTC", since = "2026-10-01T00:00:00Z", until, ...rest } = more
  const period = { since: Date.parse(since), until: until === undefined ? undefined : Date.parse(until), tz }
  const question: UsageQuestion = { by: by.map((name) => findDimension(name)!), period, filters: {}, ...rest }
  const { text, values } = askUsage(question)
  return readUsage((await client.query(text, [...values])).rows, question)
}
const labels = async (by: string[], more?: Parameters<typeof usage>[1]) =>
  (await usage(by, more)).rows.map((row) => row.values.join("|"))
const count = async (filters: Filters) => (await usage([], { filters })).total.requests

describe("measures", () => {
  test("totals are exact decimals, and every request is exact, estimated or unpriced", async () => {
    const { rows, total, groups } = await usage(["model"])
    expect(rows.map(({ values, requests, total_cost }) => [values[0], requests, total_cost])).toEqual([
      ["claude", 3, "0.3"],
      ["gpt-4o-mini", 3, "0.00108"],
      ["", 1, "0"],
      ["mystery", 1, null],
    ])
    expect(rows[1]).toEqual({
      values: ["gpt-4o-mini"],
      keyId: undefined,
      requests: 3,
      errors: 0,
      input_tokens: 3000,
      cached_tokens: 1200,
      cache_creation_tokens: 0,
      output_tokens: 1500,
      total_cost: "0.00108",
      share: 0.003587,
      exact: 2,
      estimated: 1,
      unpriced: 0,
      subscription_requests: 0,
      subscription_value: "0",
    })
    expect(total).toMatchObject({
      requests: 8,
      errors: 2,
      total_cost: "0.30108",
      share: 1,
      exact: 6,
      estimated: 1,
      unpriced: 1,
    })
    expect(groups).toBe(4)
  })

  test("no requests cost 0, and requests without a price cost null", async () => {
    expect((await usage(["model"], { filters: { model: "nobody" } })).total).toMatchObject({
      requests: 0,
      total_cost: "0",
    })
    expect((await usage([], { filters: { model: "mystery" } })).total).toMatchObject({ requests: 1, total_cost: null })
  })

  test("[LIM-11] a limit does not change the total or the number of groups", async () => {
    const { rows, total, groups } = await usage(["model"], { limit: 1 })
    expect([rows.length, total.requests, groups]).toEqual([1, 8, 4])
  })

  test("the period includes its first moment and excludes its last", async () => {
    const { total } = await usage([], { since: "2026-10-31T23:59:59.999Z", until: "2026-11-01T12:00:00Z" })
    expect(total.requests).toBe(2)
  })

  test("the sum of millions of small costs is exact", async () => {
    await client.query("BEGIN")
    await client.query(
      `INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms,
         status_code, total_cost, cost_status, created_at)
       SELECT 'openai', 'tiny', '/', 'POST', t, t, 1, 200, 0.000000000001, 'exact', t
       FROM generate_series(1, 100000), (VALUES ('2020-01-01'::timestamptz)) v (t)`,
    )
    const { total } = await usage([], { since: "2020-01-01T00:00:00Z", until: "2020-01-02T00:00:00Z" })
    await client.query("ROLLBACK")
    expect(total).toMatchObject({ requests: 100_000, total_cost: "0.0000001" })
  })
})

describe("dimensions", () => {
  test("days are those of the time zone, in ascending order", async () => {
    expect(await labels(["day"])).toEqual(["2026-10-25", "2026-10-31", "2026-11-01", "2026-11-02"])
    expect(await labels(["day"], { tz: "Asia/Kolkata" })).toEqual(["2026-10-25", "2026-11-01", "2026-11-02"])
    expect(await labels(["day"], { tz: "America/New_York" })).toEqual(["2026-10-24", "2026-10-31", "2026-11-01"])
  })

  test("the local hour that occurs twice in autumn forms two groups", async () => {
    const hours = await labels(["hour"], { tz: "Europe/Lisbon", until: "2026-10-26T00:00:00Z" })
    expect(hours).toEqual(["2026-10-25T01:00:00+01:00", "2026-10-25T01:00:00+00:00"])
  })

  test("hours begin at full hours of the time zone", async () => {
    const hours = await labels(["hour"], { tz: "Asia/Kolkata", until: "2026-10-26T00:00:00Z" })
    expect(hours).toEqual(["2026-10-25T06:00:00+05:30", "2026-10-25T07:00:00+05:30"])
  })

  test("weeks are ISO weeks, and months are calendar months", async () => {
    expect(await labels(["week"])).toEqual(["2026-W43", "2026-W44", "2026-W45"])
    expect(await labels(["month"])).toEqual(["2026-10", "2026-11"])
  })

  test("two dimensions are ordered by time if one is a time, and by cost otherwise", async () => {
    expect(await labels(["month", "model"])).toEqual([
      "2026-10|gpt-4o-mini",
      "2026-11|claude",
      "2026-11|",
      "2026-11|mystery",
    ])
    expect((await labels(["key", "provider"]))[0]).toBe("beta|anthropic")
  })

  test("a key is shown by its name with its id; a deleted key is shown by its id", async () => {
    const { rows } = await usage(["key"])
    expect(rows.map(({ values, keyId }) => [values[0], keyId])).toEqual([
      ["beta", beta],
      ["alpha", alpha],
    ])
  })

  test("groups by status, by outcome, and by metadata value with null for requests without the name", async () => {
    expect((await labels(["status"])).sort()).toEqual(["200", "429"])
    expect((await labels(["outcome"])).sort()).toEqual(["complete", "upstream_broke"])
    const users = await usage(["user-id"], { sort: "name" })
    expect(users.rows.map(({ values, requests }) => [values[0], requests])).toEqual([
      ["1", 2],
      ["2", 1],
      [null, 5],
    ])
  })

  test("rows are sorted as requested", async () => {
    expect((await labels(["model"], { sort: "requests" })).slice(0, 2).sort()).toEqual(["claude", "gpt-4o-mini"])
    expect((await labels(["model"], { sort: "input" }))[0]).toBe("gpt-4o-mini")
    expect(await labels(["model"], { sort: "name" })).toEqual(["", "claude", "gpt-4o-mini", "mystery"])
    expect((await labels(["day"], { sort: "cost" }))[0]).toBe("2026-11-01")
  })
})

describe("filters", () => {
  test.each<[string, Filters, number]>([
    ["a model", { model: "claude" }, 3],
    ["a prefix of a model", { model: "gpt-4*" }, 3],
    ["a star alone matches everything", { model: "*" }, 8],
    ["wildcards of LIKE are literal characters", { model: "gpt_4*" }, 0],
    ["a provider in any case", { provider: "Anthropic" }, 3],
    ["a key by name", { key: "alpha" }, 3],
    ["errors", { status: "error" }, 2],
    ["successes", { status: "success" }, 6],
    ["a status code", { status: "429" }, 1],
    ["a class of status codes", { status: "4*" }, 1],
    ["metadata", { where: { "User-Id": "1" } }, 2],
    ["several filters at once", { model: "gpt*", where: { "User-Id": "2" } }, 1],
    ["text that looks like SQL", { model: "'; DROP TABLE llm_requests; --" }, 0],
  ])("%s", async (_, filters, expected) => expect(await count(filters)).toBe(expected))

  test("a key by its id", async () => expect(await count({ key: beta })).toBe(5))
})
