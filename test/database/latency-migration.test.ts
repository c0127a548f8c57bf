import { expect, test } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { measureLatency } from "../../src/operations/usage/latency.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"
import { expectBalance, insertRequests } from "./_verify.ts"

const ROLLUPS = ["hourly", "hourly_keys", "daily", "metadata", "metadata_weekly"].map((name) => `llm_usage_${name}`)
const NAMES = "INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('User-Id', true, true)"

describePostgresFirst("a database with requests of version 12", (open) => {
  test("is like a new one afterwards, and its rollups have the latencies of its requests", async () => {
    const [db, fresh] = [await open({ empty: true }), await open()]
    await db.query(makeOlderScript(12))
    for (const each of [db, fresh]) {
      await each.query(NAMES)
      await insertRequests(each, "2026-02-01T00:00:00Z", 1, 60)
    }
    // A value that is counted as '(other)'.
    for (const each of [db, fresh])
      await each.query(`UPDATE llm_usage_metadata SET value = '(other)' WHERE value = 'u30';
        UPDATE llm_usage_metadata_weekly SET value = '(other)' WHERE value = 'u30'`)
    expect((await migrate(db)).did).toBe("updated")
    expect(await describeSchema(db)).toEqual(await describeSchema(fresh))
    for (const table of ROLLUPS) {
      const rows = `SELECT t::text FROM ${table} t ORDER BY 1`
      expect((await db.query(rows)).rows, table).toEqual((await fresh.query(rows)).rows)
    }
    await expectBalance(db)
  })

  test("says so where its requests were pruned before", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(12))
    await insertRequests(db, "2026-02-01T00:00:00Z", 1, 60)
    await db.query("UPDATE majordomo_schema SET pruned_before = '2026-02-05T00:00:00Z'")
    await db.query("DELETE FROM llm_requests WHERE created_at < '2026-02-05Z'")
    await migrate(db)
    const measure = (since: string, until: string) =>
      measureLatency(
        { database: db },
        { by: [], filters: {}, period: { since: Date.parse(since), until: Date.parse(until), tz: "UTC" } },
      )
    const pruned = await measure("2026-02-01T00:00:00Z", "2026-02-05T00:00:00Z")
    expect(pruned.total).toMatchObject({ measured: 0, p50_ms: null })
    expect(pruned.total.requests).toBeGreaterThan(20)
    expect(pruned.notes).toEqual([
      "the requests of this period were pruned before the gateway counted latencies, so these are not known",
    ])
    const kept = await measure("2026-02-05T00:00:00Z", "2026-02-12T00:00:00Z")
    expect(kept.total.measured).toBe(kept.total.requests)
    expect(kept.notes).toEqual([])
    await expectBalance(db)
  })
})
