import { expect, test, vi } from "vitest"
import { COUNTERS, type Counter, ROLLUP_TABLES } from "../../src/database/counters.ts"
import { prune } from "../../src/database/prune.ts"
import { repairRollups } from "../../src/database/verify.ts"
import { describeDatabases, type OpenTestDatabase } from "../support/databases.ts"
import { everyNth } from "../support/thorough.ts"
import { expectBalance, insertRequests, verifyDatabase } from "./_verify.ts"

vi.setConfig({ testTimeout: 300_000 })

/** The least amount by which a counter can be wrong. */
const leastOf = ({ name, type }: Counter) => (type === "numeric" && name.endsWith("_cost") ? "0.000000000001" : "1")

/** One row of each table: the condition that selects it, the day that has to be repaired, and how `verify` names it. */
const ROWS: Readonly<Record<string, { where: string; day: string; period: string; name: string | null }>> = {
  llm_usage_hourly: {
    where: "hour = '2026-02-04T04:00Z'",
    day: "2026-02-04",
    period: "2026-02-04T04:00Z",
    name: null,
  },
  llm_usage_hourly_keys: {
    where: "hour = '2026-02-04T08:00Z'",
    day: "2026-02-04",
    period: "2026-02-04T08:00Z",
    name: null,
  },
  llm_usage_daily: {
    where: "(day, model) = ('2026-02-04', 'm0') AND provider = 'anthropic'",
    day: "2026-02-04",
    period: "2026-02-04",
    name: null,
  },
  llm_usage_metadata: {
    where: "(day, name, value) = ('2026-02-04', 'Feature', 'f0')",
    day: "2026-02-04",
    period: "2026-02-04",
    name: "Feature",
  },
  llm_usage_metadata_weekly: {
    where: "(week, name, value) = ('2026-02-02', 'Feature', 'f1')",
    day: "2026-02-02",
    period: "2026-02-02",
    name: "Feature",
  },
}

/** The numbers of each rollup table. Those of `llm_usage_metadata_values` and of runs are falsified by tests of their own. */
const COUNTERS_OF_CATALOG = `
  SELECT relname::text AS table, array_agg(attname::text ORDER BY attname::text COLLATE "C") AS names
  FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
  WHERE relname ~ '^llm_usage_' AND relkind = 'r' AND relname NOT IN ('llm_usage_metadata_values', 'llm_usage_metadata_names', 'llm_usage_runs')
    AND attnum > 0 AND NOT attisdropped AND atttypid IN ('bigint'::regtype, 'integer'::regtype, 'numeric'::regtype, 'float8'::regtype)
  GROUP BY 1 ORDER BY 1`

async function openWithRequests(open: OpenTestDatabase) {
  const db = await open()
  await db.query(
    "INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('Feature', true, true), ('User-Id', true, true)",
  )
  await insertRequests(db, "2026-02-01T00:00:00Z", 1, 60)
  return db
}

describeDatabases("verify names table, period and counter", (open, kind) => {
  /** Both engines run the same statements, and the embedded one takes three times as long. */
  const counters = (first: number) => (kind === "postgres" ? COUNTERS : everyNth(COUNTERS, 5, first))

  test("[L4] of every counter of every rollup that is wrong, also of days that were proven before", async () => {
    const db = await openWithRequests(open)
    expect(Object.keys(ROWS).sort()).toEqual(ROLLUP_TABLES.map(({ name }) => name).sort())
    const { rows: ofCatalog } = await db.query<{ table: string; names: string[] }>(COUNTERS_OF_CATALOG)
    const names = COUNTERS.map(({ name }) => name).sort()
    expect(ofCatalog).toEqual(
      Object.keys(ROWS)
        .sort()
        .map((table) => ({ table, names })),
    )
    await expectBalance(db)
    for (const [index, { name: table }] of ROLLUP_TABLES.entries()) {
      const { where, ...place } = ROWS[table]!
      for (const counter of counters(index)) {
        const change = (sign: string) =>
          db.query(`UPDATE ${table} SET ${counter.name} = ${counter.name} ${sign} ${leastOf(counter)} WHERE ${where}`)
        const { rowCount } = await change("+")
        expect(rowCount, table).toBe(1)
        const expected = [{ table, ...place, counters: [counter.name], isPruned: false }]
        if (table === "llm_usage_metadata") expected.push(weekOf(expected[0]!))
        expect((await verifyDatabase(db)).differences).toEqual(expect.arrayContaining(expected))
        await change("-")
      }
    }
    await expectBalance(db)
  })

  test("[L4] of rows of rollups that are missing or belong to nothing, and of a wrong number of distinct values", async () => {
    const db = await openWithRequests(open)
    await expectBalance(db)
    const wrong: [change: string, table: string, day: string][] = [
      ["DELETE FROM llm_usage_hourly WHERE hour = '2026-02-04T04:00Z'", "llm_usage_hourly", "2026-02-04"],
      ["DELETE FROM llm_usage_daily WHERE day = '2026-02-05'", "llm_usage_daily", "2026-02-05"],
      ["DELETE FROM llm_usage_metadata_weekly WHERE week = '2026-02-09'", "llm_usage_metadata_weekly", "2026-02-09"],
      [
        "INSERT INTO llm_usage_hourly_keys (hour, majordomo_api_key_id, requests) VALUES ('2026-02-04T05:00Z', gen_random_uuid(), 1)",
        "llm_usage_hourly_keys",
        "2026-02-04",
      ],
      [
        "INSERT INTO llm_usage_metadata (name, day, value, requests) VALUES ('Feature', '2026-02-03', 'none', 1)",
        "llm_usage_metadata",
        "2026-02-03",
      ],
      [
        "UPDATE llm_usage_metadata_values SET distinct_values = 9 WHERE (name, day) = ('Feature', '2026-02-03')",
        "llm_usage_metadata_values",
        "2026-02-03",
      ],
    ]
    for (const [change, table, day] of wrong) {
      await db.query(change)
      const { differences } = await verifyDatabase(db)
      expect(differences).toEqual(expect.arrayContaining([expect.objectContaining({ table, day })]))
      const repairs = await repairRollups(db, differences)
      expect(repairs.map((repair) => repair.table)).toContain(table)
      await expectBalance(db)
    }
  })

  test("[L4] NaN and Infinity are not accepted as costs, and are found and repaired where they are", async () => {
    const db = await openWithRequests(open)
    const id = "'b0000000-0000-4000-8000-000000000020'"
    await expect(db.query(`UPDATE llm_requests SET total_cost = 'NaN' WHERE id = ${id}`)).rejects.toMatchObject({
      code: "23514",
    })
    await expect(db.query(`UPDATE llm_requests SET total_cost = 'Infinity' WHERE id = ${id}`)).rejects.toMatchObject({
      code: "22003",
    })
    await expectBalance(db)
    // A database from before the constraints of the rollups.
    for (const { name } of ROLLUP_TABLES) await db.query(`ALTER TABLE ${name} DROP CONSTRAINT ${name}_are_numbers`)
    await db.query("UPDATE llm_usage_daily SET total_cost = 'NaN' WHERE day = '2026-02-06'")
    await db.query("UPDATE llm_usage_hourly SET input_tokens = 'Infinity' WHERE hour = '2026-02-07T04:00Z'")
    // A row from before the constraint.
    await db.query("ALTER TABLE llm_requests DROP CONSTRAINT llm_requests_cost_is_number")
    await db.query(`UPDATE llm_requests SET output_cost = 'NaN' WHERE id = ${id}`)
    await db.query(`ALTER TABLE llm_requests ADD CONSTRAINT llm_requests_cost_is_number
      CHECK (input_cost <> 'NaN' AND output_cost <> 'NaN' AND total_cost <> 'NaN') NOT VALID`)

    const { differences } = await verifyDatabase(db)
    const found = (table: string, period: string, counter: string) =>
      expect.objectContaining({ table, period, counters: [counter] })
    expect(differences).toEqual(
      expect.arrayContaining([
        found("llm_usage_daily", "2026-02-06", "total_cost"),
        found("llm_usage_hourly", "2026-02-07T04:00Z", "input_tokens"),
        found("llm_requests", "2026-02-04T08:00Z", "output_cost"),
        found("llm_usage_metadata", "2026-02-04", "output_cost"),
      ]),
    )
    await repairRollups(db, differences)
    await expectBalance(db)
    const { rows } = await db.query(`SELECT output_cost, total_cost, cost_status FROM llm_requests WHERE id = ${id}`)
    expect(rows).toEqual([{ output_cost: null, total_cost: null, cost_status: "unpriced" }])
    const repricings = await db.query("SELECT old_output_cost, new_output_cost FROM llm_request_repricings")
    expect(repricings.rows).toEqual([{ old_output_cost: "NaN", new_output_cost: null }])
  })

  test("[L4] of pruned days, whose rollups are compared with each other and cannot be repaired", async () => {
    const db = await openWithRequests(open)
    await prune(db, { olderThan: Date.parse("2026-02-06T00:00:00Z"), bodiesOnly: false })
    await expectBalance(db)
    const tables = ["llm_usage_hourly", "llm_usage_hourly_keys", "llm_usage_daily", "llm_usage_metadata_weekly"]
    for (const [index, table] of tables.entries()) {
      for (const counter of counters(index)) {
        const change = (sign: string) =>
          db.query(
            `UPDATE ${table} SET ${counter.name} = ${counter.name} ${sign} ${leastOf(counter)} WHERE ${ROWS[table]!.where}`,
          )
        await change("+")
        const { differences } = await verifyDatabase(db)
        expect(differences).toEqual([expect.objectContaining({ table, counters: [counter.name] })])
        if (table !== "llm_usage_metadata_weekly") expect(await repairRollups(db, differences)).toEqual([])
        await change("-")
      }
    }
    await expectBalance(db)
  })
})

function weekOf<T extends { readonly table: string }>(difference: T): T {
  return { ...difference, table: "llm_usage_metadata_weekly", day: "2026-02-02", period: "2026-02-02" }
}
