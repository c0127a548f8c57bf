import pg from "pg"
import { afterAll, beforeAll, expect, test } from "vitest"
import {
  askRollupState,
  askUsage,
  findDimension,
  NO_ROLLUPS,
  type RollupState,
  readRollupState,
  readUsage,
  SORTS,
  type UsageQuestion,
} from "../../src/reports/index.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { createRandom, insertRandomUsage } from "../support/random-usage.ts"
import { insertKey } from "../support/usage-rows.ts"

const QUESTIONS = 150
const random = createRandom(5)
const pick = <T>(...all: readonly T[]): T => all[Math.floor(random() * all.length)]!

let home: TestDatabase
let client: pg.Client
let rollups: RollupState

beforeAll(async () => {
  home = await createTestDatabase()
  client = new pg.Client({ connectionString: home.url })
  await client.connect()
  await client.query(
    "INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('User-Id', true, true), ('Feature', true, true)",
  )
  await client.query("UPDATE majordomo_schema SET folded_before = '2026-10-15'")
  const time = { since: "2026-10-01T00:00:00Z", until: "2026-10-22T00:00:00Z" }
  await insertRandomUsage(client, { ...time, rows: 2000, keys: [await insertKey(client, "alpha")], seed: 3 })
  // Groups that only the rest of an order tells apart, groups without a known price, and one that is free.
  await client.query(
    `INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, created_at, response_time_ms,
       input_tokens, status_code, total_cost, cost_status, billing, raw_metadata)
     SELECT 'openai', 'm', '/', 'POST', at, at, at, 1, n % 2, 200, CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE 0.5 END,
       CASE n % 4 WHEN 0 THEN 'unpriced' WHEN 1 THEN 'free' ELSE 'exact' END, CASE WHEN n % 3 = 0 THEN 'subscription' END,
       jsonb_build_object('User-Id', 'many ' || n % 520)
     FROM generate_series(1, 1560) AS n, LATERAL (SELECT '2026-10-13T00:00Z'::timestamptz + n * interval '50 s' AS at) AS t`,
  )
  rollups = readRollupState((await ask(askRollupState())) as Record<string, unknown>[])
})
afterAll(async () => {
  await client.end()
  await home.drop()
})

const ask = async ({ text, values }: { text: string; values: readonly unknown[] }) =>
  (await client.query(text, [...values])).rows

async function answer(question: UsageQuestion, on: RollupState) {
  return readUsage(await ask(askUsage(question, on)), question)
}

test("the first groups of a name with many values are those of a report from rows, with the same numbers, total and number of groups", async () => {
  expect([...rollups.numerous]).toEqual(["User-Id"])
  const met = { unnamed: 0, none: 0 }
  for (let i = 0; i < QUESTIONS; i++) {
    const since = Date.parse("2026-10-01T00:00:00Z") + random() * 15 * 86_400_000
    const from = pick(Math.floor(since), Math.floor(since / 86_400_000) * 86_400_000)
    const question: UsageQuestion = {
      by: [findDimension(pick("User-Id", "User-Id", "Feature"))!],
      period: {
        since: from,
        until: pick(undefined, from + 1_000_000, from + 4 * 86_400_000, from + 12 * 86_400_000 + 1),
        tz: pick("UTC", "Asia/Kolkata"),
      },
      filters: pick({}, {}, { where: undefined }, { where: { "User-Id": "many 7*" } }, { provider: "openai" }),
      sort: pick(undefined, ...SORTS),
      limit: pick(1, 3, 20, 100, 600),
    }
    const on = { ...rollups, numerous: new Set(["User-Id", "Feature"]) }
    const found = await answer(question, on)
    const description = JSON.stringify({ ...question, by: question.by[0]!.name })
    expect(found, description).toEqual(await answer(question, NO_ROLLUPS))
    expect(found, description).toEqual(await answer(question, { ...on, numerous: new Set() }))
    met[found.rows.some(({ values }) => values[0] === null) ? "unnamed" : "none"]++
  }
  for (const times of Object.values(met)) expect(times).toBeGreaterThan(10)
})

test("so are those of a period whose requests were pruned in part", async () => {
  const prunedBefore = Date.parse("2026-10-08T00:00:00Z")
  await client.query("BEGIN")
  await client.query("SELECT set_config('majordomo.same_sums', 'on', true)")
  await client.query("UPDATE majordomo_schema SET pruned_before = '2026-10-08Z'")
  await client.query("DELETE FROM llm_requests WHERE created_at < '2026-10-08Z'")
  const pruned = readRollupState((await ask(askRollupState())) as Record<string, unknown>[])
  expect(pruned.prunedBefore).toBe(prunedBefore)
  for (const sort of SORTS) {
    for (const since of ["2026-10-02T00:00:00Z", "2026-10-03T11:12:13Z", "2026-10-09T11:12:13Z"]) {
      const question: UsageQuestion = {
        by: [findDimension("User-Id")!],
        period: { since: Date.parse(since), until: Date.parse("2026-10-20T21:22:23Z"), tz: "UTC" },
        filters: {},
        sort,
        limit: 50,
      }
      expect(await answer(question, pruned)).toEqual(await answer(question, { ...pruned, numerous: new Set() }))
    }
  }
  await client.query("ROLLBACK")
})
