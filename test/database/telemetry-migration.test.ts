import { expect, test } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { migrate } from "../../src/database/schema.ts"
import { describeDatabases } from "../support/databases.ts"
import { aRecord, makeDirectory, openTestLedger } from "./_ledger.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"
import { expectBalance, insertRequests } from "./_verify.ts"

const NAMES = "INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('Session-Id', true, true)"
const LIMIT = `INSERT INTO llm_limits (name, measure, amount, window_unit, action, tz)
  VALUES ('all', 'cost', 100, 'total', 'warn', 'UTC')`

const relayed = (changes: Partial<LogRecord> = {}) =>
  aRecord({
    raw_metadata: { "Session-Id": "s" },
    provider_request_id: "req_1",
    usage_key: "s/1000/400/500",
    ...changes,
  })
const reported = (changes: Partial<LogRecord> = {}) =>
  relayed({ source: "telemetry", response_time_ms: 0, cost_status: "estimated", ...changes })

/** Writes each batch in an order of its own: each by a ledger of another gateway. */
async function write(db: Database, ...batches: (readonly LogRecord[])[]): Promise<void> {
  for (const batch of batches) {
    const ledger = await openTestLedger(db, await makeDirectory())
    for (const record of batch) ledger.append(record)
    expect((await ledger.drain(60_000)).drained).toBe(true)
    await ledger.close()
  }
}

async function readRows(db: Database): Promise<readonly (string | null)[]> {
  const { rows } = await db.query<{ source: string | null }>(
    "SELECT source FROM llm_requests ORDER BY source NULLS FIRST",
  )
  return rows.map(({ source }) => source)
}

describeDatabases("a database with requests from before telemetry was received", (open) => {
  test("is like a new one afterwards: its requests were relayed", async () => {
    const [db, fresh] = [await open({ empty: true }), await open()]
    await db.query(makeOlderScript(24))
    await insertRequests(db, "2026-02-01T00:00:00Z", 1, 60)
    expect((await migrate(db)).did).toBe("updated")
    expect(await describeSchema(db)).toEqual(await describeSchema(fresh))
    const { rows } = await db.query("SELECT source, count(*)::int AS requests FROM llm_requests GROUP BY 1")
    expect(rows).toEqual([{ source: null, requests: 60 }])
    await expectBalance(db)
  })

  test.each([
    ["the relayed request first", [[relayed()], [reported()]], [null]],
    ["the report first", [[reported()], [relayed()]], [null]],
    ["both in one batch", [[relayed(), reported()]], [null]],
    ["both in one batch, the report first", [[reported(), relayed()]], [null]],
    ["by the provider's id, whatever the tokens", [[reported({ usage_key: "s/1/1/1" })], [relayed()]], [null]],
    [
      "by session and tokens, if the report has no id",
      [[reported({ provider_request_id: undefined })], [relayed()]],
      [null],
    ],
    [
      "by session and tokens, if the answer had no id",
      [[relayed({ provider_request_id: undefined })], [reported()]],
      [null],
    ],
    [
      "another id of the provider is another request",
      [[relayed()], [reported({ provider_request_id: "req_2" })]],
      [null, "telemetry"],
    ],
    [
      "a report that is not relayed is kept",
      [[relayed()], [reported({ provider_request_id: undefined, usage_key: "s/1200/1000/20" })]],
      [null, "telemetry"],
    ],
  ] as const)("counts a request once: %s", async (_, batches, left) => {
    const db = await open()
    await db.query(NAMES)
    await db.query(LIMIT)
    await write(db, ...batches.map((batch) => batch.map((each) => ({ ...each, id: aRecord().id }))))
    expect(await readRows(db)).toEqual(left)
    await expectBalance(db)
    const { rows } = await db.query(
      "SELECT (SELECT sum(requests)::int FROM llm_usage_hourly) AS hourly, (SELECT sum(requests)::int FROM llm_usage_runs) AS runs, (SELECT sum(requests)::int FROM llm_limit_usage) AS limits",
    )
    expect(rows).toEqual([{ hourly: left.length, runs: left.length, limits: left.length }])
  })

  test("a report that is sent again is stored once", async () => {
    const db = await open()
    const report = reported({ provider_request_id: undefined })
    await write(db, [report], [report, report])
    expect(await readRows(db)).toEqual(["telemetry"])
    await expectBalance(db)
  })

  test("gateways that write relayed requests and their reports at the same time count each once", async () => {
    const db = await open()
    const pairs = Array.from({ length: 60 }, (_, i) => ({
      provider_request_id: `req_${i}`,
      usage_key: `s/${i + 1}/0/1`,
    }))
    const ledgers = await Promise.all([1, 2, 3, 4].map(async () => openTestLedger(db, await makeDirectory())))
    for (const [i, pair] of pairs.entries()) {
      ledgers[i % 4]!.append(relayed({ ...pair, id: aRecord().id }))
      ledgers[(i + 1) % 4]!.append(reported({ ...pair, id: aRecord().id }))
      if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    for (const { drained } of await Promise.all(ledgers.map((ledger) => ledger.drain(60_000))))
      expect(drained).toBe(true)
    for (const ledger of ledgers) await ledger.close()
    expect(await readRows(db)).toEqual(pairs.map(() => null))
    await expectBalance(db)
  })
})
