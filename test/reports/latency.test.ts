import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import { prune } from "../../src/database/prune.ts"
import { repairRollups } from "../../src/database/verify.ts"
import { reportErrors } from "../../src/operations/usage/errors.ts"
import { measureLatency } from "../../src/operations/usage/latency.ts"
import {
  askExactLatency,
  askLatency,
  askRollupState,
  askUsage,
  findDimension,
  type LatencyQuestion,
  NO_ROLLUPS,
  type RollupState,
  readLatency,
  readRollupState,
  readUsage,
} from "../../src/reports/index.ts"
import { aRecord } from "../database/_ledger.ts"
import { expectBalance, verifyDatabase } from "../database/_verify.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { insertRandomUsage } from "../support/random-usage.ts"

const ZONES = ["UTC", "Europe/Lisbon", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Chatham"]
const BY = [[], ["model"], ["provider"], ["key"], ["hour"], ["day"], ["month", "key"], ["User-Id"], ["week", "User-Id"]]
const FILTERS = [{}, { model: "gpt*" }, { key: "alpha" }, { where: { "User-Id": "u3" } }]
const SINCE = "2026-10-03T13:27:11.123Z"
const UNTIL = "2026-11-05T05:59:59.999Z"

function toQuestion({ by = [] as readonly string[], tz = "UTC", since = SINCE, until = UNTIL, filters = {} }) {
  const period = { since: Date.parse(since), until: Date.parse(until), tz }
  return { by: by.map((name) => findDimension(name)!), period, filters }
}

async function openWithRequests(open: () => Promise<Database>) {
  const db = await open()
  const { rows } = await db.query<{ id: string }>(
    "INSERT INTO api_keys (key_hash, name) VALUES ('a', 'alpha'), ('b', 'beta') RETURNING id",
  )
  await db.query(
    "INSERT INTO llm_usage_metadata_names (name, every_key, summed, indexed) VALUES ('User-Id', true, true, true)",
  )
  // The period contains the end of summer time in Europe and America, and its start in Australia.
  await insertRandomUsage(
    { query: (text, values) => db.query({ text, values }) },
    {
      rows: 1500,
      since: "2026-09-25T00:00:00Z",
      until: "2026-11-10T00:00:00Z",
      keys: rows.map(({ id }) => id),
      seed: 3,
    },
  )
  return db
}

const readState = async (db: Database) => readRollupState((await db.query(askRollupState())).rows)

async function readHistograms(db: Database, question: LatencyQuestion, rollups: RollupState) {
  return readLatency((await db.query(askLatency(question, rollups))).rows, question)
}

describePostgresFirst("latencies", (open) => {
  test("from rollups are those of the rows, at most 4.8 % off, and count the requests of usage, in six time zones", async () => {
    const db = await openWithRequests(open)
    const rollups = await readState(db)
    for (const [at, tz] of ZONES.entries()) {
      for (const [n, by] of BY.entries()) {
        const question = toQuestion({ by, tz, filters: FILTERS[(at + n) % FILTERS.length]! })
        const description = JSON.stringify({ by, tz, filters: question.filters })
        const approximate = await readHistograms(db, question, rollups)
        expect(approximate, description).toEqual(await readHistograms(db, question, NO_ROLLUPS))

        const exact = readLatency((await db.query(askExactLatency(question, rollups))).rows, question)
        const usage = readUsage((await db.query(askUsage(question, rollups))).rows, question)
        const requestsOf = (rows: readonly { values: readonly unknown[]; requests: number; errors: number }[]) =>
          rows.map(({ values, requests, errors }) => JSON.stringify([values, requests, errors])).sort()
        expect(requestsOf(approximate.rows), description).toEqual(requestsOf(usage.rows))
        expect(approximate.total, description).toMatchObject({
          requests: usage.total.requests,
          errors: usage.total.errors,
          measured: approximate.rows.reduce(
            (sum, { measured }) => sum + measured,
            by.length === 0 ? approximate.total.measured : 0,
          ),
        })
        expect(approximate.rows).toHaveLength(exact.rows.length)
        for (const [i, row] of [...exact.rows, exact.total].entries()) {
          const other = [...approximate.rows, approximate.total][i]!
          expect(other, description).toMatchObject({ requests: row.requests, measured: row.measured })
          for (const name of ["p50_ms", "p95_ms", "p99_ms"] as const) {
            if (row[name] === null) expect(other[name]).toBeNull()
            else
              expect(Math.abs(other[name]! - row[name]), `${description} ${row[name]}`).toBeLessThanOrEqual(
                toBound(row[name]),
              )
          }
        }
      }
    }
  })

  test("of interrupted requests and of items of batches do not count; errors with a complete answer do", async () => {
    const db = await open()
    const at = "2026-11-20T10:00:00.000Z"
    const records = [
      { response_time_ms: 100 },
      { response_time_ms: 300, status_code: 500 },
      { response_time_ms: 0 },
      ...(["client_left", "upstream_broke", "shutdown", "gateway_died"] as const).map((outcome) => ({
        response_time_ms: 90_000,
        outcome,
      })),
    ].map((changes) => aRecord({ ...changes, created_at: at }))
    await insertRows(db.query, JSON.stringify(records), { count: records.length })
    const question = toQuestion({ since: "2026-11-20T00:00:00Z", until: "2026-11-21T00:00:00Z" })
    const exact = { requests: 7, errors: 4, measured: 2, p50_ms: 100, p95_ms: 300, p99_ms: 300 }
    expect(await measureLatency({ database: db }, question)).toMatchObject({ approximate: false, total: exact })

    // The row of a request that was taken to be dead, and a late row.
    const died = records.at(-1)!
    const late = aRecord({ response_time_ms: 200, created_at: at })
    const further = [{ ...died, outcome: "complete" as const, response_time_ms: 400 }, late]
    await insertRows(db.query, JSON.stringify(further), { count: 2 })
    await db.query("UPDATE llm_requests SET total_cost = 1")
    const { total } = await readHistograms(db, question, await readState(db))
    expect(total).toMatchObject({ requests: 8, errors: 3, measured: 4 })
    expect([total.p50_ms, total.p95_ms].map((ms, i) => Math.abs(ms! - [200, 400][i]!) <= toBound(400))).toEqual([
      true,
      true,
    ])
    await expectBalance(db)
  })

  test("of a long period are approximate, and stay when its requests are pruned", async () => {
    const db = await open()
    await db.query(`INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, created_at,
        response_time_ms, status_code)
      SELECT 'openai', 'm' || n % 2, '/', 'POST', at, at, at, 1 + n % 1000, CASE WHEN n % 50 > 0 THEN 200 ELSE 500 END
      FROM (SELECT n, '2026-10-10Z'::timestamptz + make_interval(mins => n) AS at FROM generate_series(0, 20000) n) AS made`)
    const question = toQuestion({ by: ["model"], since: "2026-10-01T00:00:00Z" })
    const before = await measureLatency({ database: db }, question)
    expect(before).toMatchObject({ approximate: true, groups: 2, total: { requests: 20_001, measured: 20_001 } })
    expect(Math.abs(before.total.p50_ms! - 500)).toBeLessThanOrEqual(toBound(500))
    const one = await measureLatency({ database: db }, { ...question, sort: "p95", limit: 1 })
    expect(one.rows).toHaveLength(1)
    expect(one).toMatchObject({ groups: 2, total: before.total })

    await prune(db, { olderThan: Date.parse("2026-10-20T00:00:00Z"), bodiesOnly: false })
    expect(await measureLatency({ database: db }, question)).toEqual({ ...before, rollups: expect.anything() })
    const { rows, rates, notes } = await reportErrors({ database: db }, question)
    expect(rates.total).toMatchObject({ requests: 20_001, errors: 401 })
    expect(rows.reduce((sum, { requests }) => sum + requests, 0)).toBeLessThan(401)
    expect(notes).toEqual(["requests before 2026-10-20 were pruned, so what their errors said is not known"])
    await expectBalance(db)
  })

  test("verify finds a request that is in the wrong bucket, and a repair puts it back", async () => {
    const db = await openWithRequests(open)
    await expectBalance(db)
    await db.query(`UPDATE llm_usage_hourly SET latencies = latencies + 1e120 - 1e110
      WHERE (hour, provider, model) IN (SELECT hour, provider, model FROM llm_usage_hourly WHERE requests > 1 LIMIT 1)`)
    const { differences } = await verifyDatabase(db)
    expect(differences).toEqual([expect.objectContaining({ table: "llm_usage_hourly", counters: ["latencies"] })])
    await repairRollups(db, differences)
    await expectBalance(db)
  })
})

describePostgresFirst("errors", (open) => {
  test("are counted by what they say, beside the rates of all requests", async () => {
    const db = await open()
    const at = (hour: number) => `2026-11-20T${hour}:00:00.000Z`
    const records = [
      aRecord({ created_at: at(10) }),
      aRecord({ created_at: at(11), status_code: 429, error_message: "slow down" }),
      aRecord({ created_at: at(12), status_code: 429, error_message: "slow down" }),
      aRecord({ created_at: at(13), outcome: "upstream_broke", model: "other" }),
      aRecord({ created_at: at(14), outcome: "client_left", model: "other" }),
    ]
    await insertRows(db.query, JSON.stringify(records), { count: records.length })
    const question = toQuestion({ since: "2026-11-20T00:00:00Z", until: "2026-11-21T00:00:00Z" })
    const report = await reportErrors({ database: db }, question)
    const limited = {
      status_code: 429,
      outcome: "complete",
      error: "slow down",
      requests: 2,
      lastAt: Date.parse(at(12)),
    }
    const broken = { status_code: 200, outcome: "upstream_broke", error: null, requests: 1, lastAt: Date.parse(at(13)) }
    expect(report.rows).toEqual([limited, broken].map((row) => ({ ...row, values: [], keyId: undefined })))
    expect(report.rates.total).toMatchObject({ requests: 5, errors: 3 })

    const byModel = await reportErrors(
      { database: db },
      { ...question, by: [findDimension("model")!], filters: { status: "429" }, limit: 1 },
    )
    expect(byModel.rows).toMatchObject([{ ...limited, values: ["gpt-4o-mini-2024-07-18"] }])
    expect(byModel.rates.rows.map(({ values, requests, errors }) => [...values, requests, errors])).toEqual(
      expect.arrayContaining([
        ["gpt-4o-mini-2024-07-18", 3, 2],
        ["other", 2, 1],
      ]),
    )
  })
})

/** 4.8 % and rounding; requests of up to 9 ms are shown as 9 ms. */
function toBound(ms: number): number {
  return ms < 10 ? 9 - ms : ms * 0.048 + 0.5
}
