import pg from "pg"
import { afterAll, beforeAll, expect, test } from "vitest"
import {
  askNewestRuns,
  askRollupState,
  askRuns,
  askTheseRuns,
  countRuns,
  type Filters,
  NO_ROLLUPS,
  type RollupState,
  RUN_SORTS,
  type RunsQuestion,
  readRollupState,
  readRun,
  readsRunRollup,
} from "../../src/reports/index.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { createRandom } from "../support/random-usage.ts"
import { insertKey } from "../support/usage-rows.ts"

const QUESTIONS = 60
const random = createRandom(17)
const pick = <T>(...all: readonly T[]): T => all[Math.floor(random() * all.length)]!
const START = Date.parse("2026-10-24T00:00:00Z")

let home: TestDatabase
let client: pg.Client

beforeAll(async () => {
  home = await createTestDatabase()
  client = new pg.Client({ connectionString: home.url })
  await client.connect()
  await client.query("INSERT INTO llm_usage_metadata_names (name, indexed) VALUES ('Feature', true)")
  const keys = [await insertKey(client, "alpha"), await insertKey(client, "beta")]
  const rows = Array.from({ length: 2000 }, () => toRow(keys))
  await client.query(
    `INSERT INTO llm_requests (majordomo_api_key_id, provider, model, request_path, request_method, requested_at, responded_at,
       created_at, response_time_ms, input_tokens, output_tokens, total_cost, cost_status, billing, status_code, outcome, raw_metadata)
     SELECT key, 'openai', model, '/', 'POST', at - interval '1 s', at, at, 1000, 10, 5, cost, status, billing, code, outcome, metadata
     FROM json_to_recordset($1::json) AS r (key uuid, model text, at timestamptz, cost numeric, status text, billing text, code int, outcome text, metadata jsonb)`,
    [JSON.stringify(rows)],
  )
})
afterAll(async () => {
  await client.end()
  await home.drop()
})

/** A request of one of many runs, or of none. Many of them end at the same moment. */
function toRow(keys: readonly string[]) {
  const id = `run ${pick("ä", "b", "C", `${"long ".repeat(60)}`)}${Math.floor(random() ** 3 * 40)}`
  const status = pick("exact", "exact", "estimated", "unpriced")
  return {
    key: pick(...keys, null),
    model: pick("gpt-4o", "claude"),
    at: new Date(START + Math.floor(random() * 200) * 1_000_000).toISOString(),
    cost: status === "unpriced" ? null : (random() / 100).toFixed(12),
    status,
    billing: pick(null, null, "subscription"),
    code: pick(200, 200, 429),
    outcome: pick("complete", "complete", "client_left", "gap"),
    metadata: pick<object | null>(
      { "Trace-Id": id, Feature: pick("chat", "search"), "Span-Path": pick("/plan/tool", "act") },
      { "Trace-Id": "", "Session-Id": id, "Span-Name": "step" },
      { Feature: "chat" },
      null,
    ),
  }
}

function toQuestion(): RunsQuestion {
  const since = START + Math.floor(random() * 150) * 1_000_000
  const filters: Filters = pick<Filters>(
    {},
    {},
    { model: "gpt*" },
    { key: "alpha" },
    { status: "error" },
    { billing: "subscription" },
    { where: { Feature: "search" } },
  )
  return {
    filters,
    period: { since, until: pick(undefined, since + 30_000_000), tz: "UTC" },
    limit: pick(1, 3, 10, 500),
    withLabels: pick(true, false),
  }
}

async function read(statement: { text: string; values: readonly unknown[] }) {
  return (await client.query(statement.text, [...statement.values])).rows
}

test("a list of runs from the rollup equals the list from the requests, in every order", async () => {
  const [row] = await read(askRollupState())
  const state = readRollupState([row!])
  const met = { rollup: 0, rows: 0 }
  for (let i = 0; i < 2 * QUESTIONS; i++) {
    const { period, ...question } = toQuestion()
    const hour = Math.floor(period.since / 3_600_000) * 3_600_000
    const since = pick(period.since, hour, period.since + 1)
    const choice = {
      ...question,
      filters: pick(question.filters, {}, { where: undefined }),
      period: { ...period, since, until: pick(undefined, since + 100, since + 3_600_000, since + 50_000_000) },
      sort: pick(...RUN_SORTS),
    }
    const rollups: RollupState = {
      ...state,
      indexed: new Map(),
      // Reports read the requests of hours that are not counted yet, and of days that are being pruned.
      runsSince: pick(state.runsSince, state.runsSince, hour),
      prunedBefore: pick(undefined, Math.ceil(since / 86_400_000) * 86_400_000),
    }
    met[readsRunRollup(choice, rollups) ? "rollup" : "rows"]++
    const description = JSON.stringify({ choice, rollups })
    expect(await read(askRuns(choice, rollups)), description).toEqual(await read(askRuns(choice)))
    expect(await read(countRuns(choice, rollups)), description).toEqual(await read(countRuns(choice)))
  }
  for (const times of Object.values(met)) expect(times).toBeGreaterThan(20)
})

test("the newest runs are those that a report over all requests lists first, with the same numbers", async () => {
  const met = { whole: 0, full: 0, undecided: 0 }
  for (let i = 0; i < QUESTIONS; i++) {
    const question = toQuestion()
    // Rows from before the name was active are found in their metadata, and later ones by the index.
    const since = pick(Number.NEGATIVE_INFINITY, START + Math.floor(random() * 200) * 1_000_000)
    const rollups: RollupState = { ...NO_ROLLUPS, indexed: new Map(pick([["Feature", since]], [])) }
    const all = (await read(askRuns(question, rollups))).map(readRun)
    const [found] = await read(askNewestRuns(question, pick(1, 5, 40, 400, 5000), rollups))
    const { traces, is_whole } = found as { traces: string[]; is_whole: boolean }
    expect(traces).toEqual(all.slice(0, traces.length).map(({ trace }) => trace))
    if (is_whole) expect(traces).toHaveLength(all.length)
    met[is_whole ? "whole" : traces.length === question.limit ? "full" : "undecided"]++
    expect((await read(askTheseRuns(traces, question, rollups))).map(readRun)).toEqual(all.slice(0, traces.length))
    const [count] = await read(countRuns(question, rollups))
    expect(count).toEqual({ total: (await read(askRuns({ ...question, limit: 1e6 }, rollups))).length })
  }
  for (const times of Object.values(met)) expect(times).toBeGreaterThan(4)
})
