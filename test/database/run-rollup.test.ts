import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { countPastRuns } from "../../src/database/past-runs.ts"
import { prune } from "../../src/database/prune.ts"
import { RUN_COUNTERS, RUN_ROLLUP } from "../../src/database/run-counters.ts"
import { migrate } from "../../src/database/schema.ts"
import { repairRollups } from "../../src/database/verify.ts"
import { listRuns } from "../../src/operations/runs/list.ts"
import { askRuns } from "../../src/reports/index.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"
import { expectBalance, insertRequests, verifyDatabase } from "./_verify.ts"

/** The last version without the rollup of runs. */
const VERSION_BEFORE = 22
const SINCE = "2026-02-01T00:00:00Z"

/** Inserts 60 requests, one every four hours, and three quarters of them belong to runs. */
async function insertRuns(db: Database, first = 1): Promise<void> {
  await insertRequests(db, SINCE, first, first + 59)
  await db.query(`UPDATE llm_requests SET raw_metadata = CASE n % 4
      WHEN 0 THEN raw_metadata || jsonb_build_object('Trace-Id', 'trace ' || n % 5, 'Session-Id', 's')
      WHEN 1 THEN raw_metadata || jsonb_build_object('Trace-Id', '', 'Session-Id', repeat('ä', 300) || n % 3)
      WHEN 2 THEN raw_metadata || '{"Session-Id": "chat"}' ELSE raw_metadata END
    FROM (SELECT id AS row, right(id::text, 12)::int AS n FROM llm_requests) AS numbered WHERE id = row`)
}

/** Expects that the rollup is complete, agrees with the requests, and gives the same list of runs. */
async function expectRunsOfRequests(db: Database): Promise<void> {
  await expectBalance(db)
  const question = { filters: {}, period: { since: Date.parse(SINCE), until: undefined, tz: "UTC" }, limit: 100 }
  for (const sort of ["cost", "requests", "errors", "duration"] as const) {
    const { rows } = await db.query(askRuns({ ...question, sort }))
    const runs = await listRuns({ database: db }, { ...question, sort })
    expect(runs.map(({ trace, requests }) => [trace, requests])).toEqual(
      rows.map(({ trace, requests }) => [trace, Number(requests)]),
    )
  }
}

const count = async (db: Database) => (await db.query(`SELECT FROM ${RUN_ROLLUP}`)).rowCount

describePostgresFirst("the rollup of runs", (open) => {
  test("follows requests that are added, repriced, moved to another run or time, and removed all at once", async () => {
    const db = await open()
    await insertRuns(db)
    expect(await count(db)).toBe(45)
    await expectRunsOfRequests(db)
    for (const change of [
      "total_cost = total_cost * 2, cost_status = 'estimated' WHERE total_cost IS NOT NULL",
      "total_cost = NULL, cost_status = 'unpriced' WHERE model = 'm1'",
      "billing = 'subscription', status_code = 500 WHERE provider = 'anthropic'",
      `raw_metadata = '{"Trace-Id": "trace 1"}' WHERE raw_metadata ->> 'Trace-Id' = 'trace 2'`,
      `raw_metadata = NULL WHERE raw_metadata ->> 'Trace-Id' = 'trace 3'`,
      "requested_at = requested_at - interval '2 h', created_at = created_at + interval '3 h' WHERE input_tokens < 200",
      "outcome = 'gap' WHERE input_tokens = 400",
    ]) {
      await db.query(`UPDATE llm_requests SET ${change}`)
      await expectRunsOfRequests(db)
    }
    await db.query("SELECT majordomo_count_again()")
    await expectRunsOfRequests(db)
    await db.query("TRUNCATE llm_requests")
    expect(await count(db)).toBe(0)
    await insertRuns(db)
    await expectRunsOfRequests(db)
  })

  test("is verified counter by counter, and repaired", async () => {
    const db = await open()
    await insertRuns(db)
    await expectBalance(db)
    const place = { table: RUN_ROLLUP, day: "2026-02-04", period: "2026-02-04T08:00Z", name: null, isPruned: false }
    const changes = [
      ...RUN_COUNTERS.map(({ name }) => [name, `${name} + 1`] as const),
      ["started_at", "started_at - interval '1 ms'"] as const,
      ["long_id", "'another'"] as const,
    ]
    for (const [name, value] of changes) {
      const { rowCount } = await db.query(
        `UPDATE ${RUN_ROLLUP} SET ${name} = ${value} WHERE hour = '2026-02-04T08:00Z'`,
      )
      expect(rowCount).toBe(1)
      const { differences } = await verifyDatabase(db)
      expect(differences).toEqual([{ ...place, counters: [name] }])
      await repairRollups(db, differences)
    }
    await db.query(`DELETE FROM ${RUN_ROLLUP} WHERE hour = '2026-02-04T08:00Z'`)
    await db.query(
      `INSERT INTO ${RUN_ROLLUP} (hour, run, started_at, ended_at) VALUES ('2026-02-05T00:00Z', 'x', now(), now())`,
    )
    const { differences } = await verifyDatabase(db)
    expect(differences.map(({ period }) => period)).toEqual(["2026-02-04T08:00Z", "2026-02-05T00:00Z"])
    await repairRollups(db, differences)
    await expectRunsOfRequests(db)
  })

  test("loses the days whose requests are pruned, and lists the runs that are left", async () => {
    const db = await open()
    await insertRuns(db)
    await prune(db, { olderThan: Date.parse("2026-02-06T12:00:00Z"), bodiesOnly: false })
    const { rows } = await db.query(`SELECT min(hour) >= '2026-02-06Z' AS is_pruned FROM ${RUN_ROLLUP}`)
    expect(rows).toEqual([{ is_pruned: true }])
    await expectRunsOfRequests(db)
    // A row that arrives late.
    await insertRuns(db)
    await expectRunsOfRequests(db)
  })
})

describePostgresFirst(`a database with rows of version ${VERSION_BEFORE}`, (open) => {
  test("gets the rollup of runs in chunks, while requests are added and changed, and its lists are right at any time", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(VERSION_BEFORE))
    await insertRuns(db)
    expect((await migrate(db)).did).toBe("updated")
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
    expect(await count(db)).toBe(0)
    await expectRunsOfRequests(db)
    await insertRuns(db, 61)
    for (let hasMore = true; hasMore; ) {
      const { rows } = await db.query<{ more: boolean }>("SELECT majordomo_count_past_runs(20) AS more")
      hasMore = rows[0]!.more
      await db.query("UPDATE llm_requests SET total_cost = total_cost + 1, output_tokens = output_tokens + 1")
      await expectRunsOfRequests(db)
    }
    expect(await count(db)).toBe(90)
    expect(await countPastRuns(db)).toBe(false)
  })

  test("gets it by migrate or by a gateway, and at once if no request belongs to a run", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(VERSION_BEFORE))
    await insertRequests(db, SINCE, 1, 5)
    await migrate(db)
    expect(await countPastRuns(db)).toBe(false)
    await db.query("UPDATE majordomo_schema SET runs_since = 'infinity'")
    await insertRuns(db)
    let started = 0
    expect(await countPastRuns(db, { onStart: () => started++, isStopped: () => true })).toBe(true)
    expect(await countPastRuns(db, { onStart: () => started++ })).toBe(true)
    expect(started).toBe(2)
    await expectRunsOfRequests(db)
  })
})
