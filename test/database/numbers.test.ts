import { expect, test, vi } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { repairRollups } from "../../src/database/verify.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"
import { expectBalance, insertRequests, verifyDatabase } from "./_verify.ts"

vi.setConfig({ testTimeout: 300_000 })

/** A repair records the cost that was not a number. */
const EXCEPTIONS = ["old_input_cost", "old_output_cost", "old_total_cost"]

const COLUMNS = `SELECT relname::text AS table, attname::text AS column FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped
    AND atttypid IN ('numeric'::regtype, 'float4'::regtype, 'float8'::regtype)`

const SINCE = "2026-02-01T00:00:00Z"
const ACTIVATE = "INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('Feature', true, true)"

describePostgresFirst("a column of numbers", (open) => {
  test("[L4] accepts neither NaN nor Infinity, in any table", async () => {
    const db = await open()
    await db.query(ACTIVATE)
    await insertRequests(db, SINCE, 1, 12)
    await db.query(`INSERT INTO llm_request_repricings (request_id, reason, old_cost_status, new_cost_status)
      SELECT id, 'test', 'exact', 'free' FROM llm_requests LIMIT 1`)
    await db.query(
      "INSERT INTO llm_limits (name, measure, amount, window_unit) VALUES ('all', 'cost', 1000000, 'total')",
    )
    await db.query(`SELECT majordomo_lease(gen_random_uuid(), 'slot', now(), json_agg(json_build_object(
      'limit', id, 'value', '', 'holding', 1, 'in_use', 1, 'wanted', 0, 'least', 0))) FROM llm_limits`)
    await db.query(`INSERT INTO llm_reconciliations (provider, day, billed, recorded, settling, causes, source, fetched_at)
      VALUES ('openai', '2026-11-01', 2, 1, false, '[]', 'api', now())`)
    await db.query(`INSERT INTO llm_bill_lines (provider, day, line, bucket, quantity, list_cost, cost, imported_at)
      VALUES ('openai', '2026-11-01', 0, 'input', 1, 1, 1, now())`)
    await db.query(`INSERT INTO llm_usage_runs (hour, run, started_at, ended_at)
      VALUES ('2026-11-01T10:00:00Z', 'run', '2026-11-01T10:00:00Z', '2026-11-01T10:00:01Z')`)
    await db.query("INSERT INTO llm_archive_days (day, status, place) VALUES ('2026-11-01', 'writing', 'archive')")
    await db.query("INSERT INTO llm_imports (id, source, actor) VALUES (gen_random_uuid(), 'litellm', 'test')")
    const { rows } = await db.query<{ table: string; column: string }>(COLUMNS)
    const columns = rows.filter(({ column }) => !EXCEPTIONS.includes(column))
    expect(columns.length).toBeGreaterThan(50)
    for (const { table, column } of columns) {
      for (const value of ["NaN", "Infinity", "-Infinity"]) {
        // The same row once more: a constraint is checked before the primary key.
        const insert = `INSERT INTO ${table}
          SELECT (jsonb_populate_record(t, jsonb_build_object('${column}', '${value}'))).* FROM ${table} t LIMIT 1`
        await expect(db.query(insert), `${table}.${column} = ${value}`).rejects.toMatchObject({
          code: expect.stringMatching(/^(23514|22003)$/),
        })
      }
    }
  })

  test("of version 7 that has NaN goes on taking rows after the update, and is repaired", async () => {
    const db = await open({ empty: true })
    await migrate(db, undefined, makeOlderScript(7))
    await db.query(ACTIVATE)
    await insertRequests(db, SINCE, 1, 40)
    await db.query("UPDATE llm_usage_daily SET total_cost = 'NaN'")
    expect((await migrate(db)).did).toBe("updated")
    await db.query(
      "INSERT INTO llm_requests SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).* FROM llm_requests r",
    )
    const { differences, written } = await verifyDatabase(db)
    expect(written).toBe(80)
    expect([...new Set(differences.map(({ table }) => table))]).toEqual(["llm_usage_daily"])
    await repairRollups(db, differences)
    await expectBalance(db)
  })

  test("of version 7 with rows has the constraints of a new database after the update", async () => {
    const db = await open({ empty: true })
    await migrate(db, undefined, makeOlderScript(7))
    await insertRequests(db, SINCE, 1, 20)
    await migrate(db)
    await insertRequests(db, SINCE, 21, 40)
    await expectBalance(db)
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
