import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { readSchemaState } from "../../src/database/schema-state.ts"
import { describeDatabases } from "../support/databases.ts"
import { FORGET_VERSIONS } from "./_schemas.ts"

const GO_DATABASE = readFileSync(new URL("../fixtures/go-schema.sql", import.meta.url), "utf8")

describeDatabases("migrate", (open) => {
  test("creates the schema, and does nothing the next time", async () => {
    const db = await open({ empty: true })
    expect((await readSchemaState(db.query)).kind).toBe("none")
    expect(await migrate(db)).toEqual({ did: "created", rowsKept: 0 })
    expect((await readSchemaState(db.query)).kind).toBe("current")
    expect(await migrate(db)).toEqual({ did: "nothing", rowsKept: 0 })
  })

  test("upgrades a database of the Go gateway, and announces it first", async () => {
    const db = await open({ empty: true })
    await db.query(GO_DATABASE)
    expect((await readSchemaState(db.query)).kind).toBe("go")
    const lines: string[] = []
    expect(await migrate(db, (line) => lines.push(line))).toEqual({ did: "upgraded from the Go gateway", rowsKept: 4 })
    expect(lines).toEqual(["bringing the Go gateway's tables up to date (4 requests)"])
    expect(
      (await db.query("SELECT sum(requests)::int AS requests, sum(total_cost) AS cost FROM llm_usage_daily")).rows,
    ).toEqual([{ requests: 4, cost: "0.000435000000" }])
  })

  test("recognizes a schema that psql applied, and brings one from before versions up to date", async () => {
    const db = await open()
    expect(await migrate(db)).toEqual({ did: "nothing", rowsKept: 0 })
    await db.query(FORGET_VERSIONS)
    expect((await readSchemaState(db.query)).kind).toBe("older")
    expect((await migrate(db)).did).toBe("updated")
    expect((await readSchemaState(db.query)).kind).toBe("current")
  })

  test("fills the rollups that an older database lacks: hours of keys, also of pruned days, and weeks of metadata", async () => {
    const db = await open()
    await db.query("INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('User-Id', true, true)")
    await db.query(`INSERT INTO llm_requests (majordomo_api_key_id, provider, model, request_path, request_method, requested_at, responded_at,
        response_time_ms, status_code, input_tokens, total_cost, cost_status, outcome, raw_metadata, created_at)
      SELECT CASE WHEN n % 3 > 0 THEN ('00000000-0000-0000-0000-00000000000' || n % 3)::uuid END, 'p', 'm' || n % 2, '/', 'POST', at, at, n, 200, n, n * 0.000000000001,
        'exact', CASE WHEN n % 50 = 0 THEN 'gap' ELSE 'complete' END, jsonb_build_object('User-Id', n % 7), at
      FROM (SELECT n, '2026-01-01T00:00:00Z'::timestamptz + make_interval(mins => n * 97) AS at FROM generate_series(1, 300) n) rows`)
    // Whole days were pruned, and a part of one day by hand.
    await db.query("DELETE FROM llm_requests WHERE created_at < '2026-01-05T07:00:00Z'")
    await db.query("UPDATE majordomo_schema SET pruned_before = '2026-01-05T00:00:00Z'")
    // Nothing knows the latencies of pruned requests.
    const weeks =
      "SELECT to_jsonb(w) - 'latencies' AS totals FROM llm_usage_metadata_weekly w ORDER BY name, week, value"
    const hours =
      "SELECT * FROM llm_usage_hourly_keys WHERE hour >= '2026-01-06T00:00:00Z' ORDER BY hour, majordomo_api_key_id"
    const before = [(await db.query(weeks)).rows, (await db.query(hours)).rows]
    expect(before.map(({ length }) => length > 10)).toEqual([true, true])
    await db.query("DROP TABLE llm_usage_hourly_keys, llm_usage_metadata_weekly")
    await db.query("ALTER TABLE majordomo_schema DROP COLUMN folded_before")
    await db.query(FORGET_VERSIONS)

    expect((await migrate(db)).did).toBe("updated")
    expect([(await db.query(weeks)).rows, (await db.query(hours)).rows]).toEqual(before)
    const sums =
      "sum(requests) AS requests, sum(input_tokens) AS input, sum(total_cost) AS cost, sum(response_time_ms) AS ms"
    const days = (
      await db.query(
        `SELECT day::text, majordomo_api_key_id AS key, ${sums} FROM llm_usage_daily GROUP BY 1, 2 ORDER BY 1, 2`,
      )
    ).rows
    const hoursByDay = `SELECT (hour AT TIME ZONE 'UTC')::date::text AS day, majordomo_api_key_id AS key, ${sums} FROM llm_usage_hourly_keys GROUP BY 1, 2 ORDER BY 1, 2`
    expect((await db.query(hoursByDay)).rows).toEqual(days)
  })

  test("of four concurrent calls one migrates, and the others wait and find nothing to do", async () => {
    const db = await open({ empty: true })
    const all = await Promise.all([1, 2, 3, 4].map(() => migrate(db)))
    expect(all.map(({ did }) => did).sort()).toEqual(["created", "nothing", "nothing", "nothing"])
  })

  test("a failure leaves the database as it was", async () => {
    const db = await open({ empty: true })
    await db.query(GO_DATABASE)
    await db.query("CREATE MATERIALIZED VIEW totals AS SELECT sum(total_cost) FROM llm_requests")
    await expect(migrate(db)).rejects.toThrow(/materialized view totals depends on llm_requests: drop/)
    expect((await readSchemaState(db.query)).kind).toBe("go")
  })
})
