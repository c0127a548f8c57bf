import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { aRecord } from "./_ledger.ts"
import { describeSchema, makeOlderScript, VERSION } from "./_schemas.ts"

const FIRST_VERSION = 2

async function add(db: Database, day: string, metadata: Record<string, string>): Promise<void> {
  const { id, provider, model } = aRecord()
  await db.query({
    text: `INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at, responded_at,
        created_at, response_time_ms, status_code, total_cost, cost_status, raw_metadata)
      VALUES ($1, $2, $3, '/', 'POST', $4, $4, $4, 1, 200, 1, 'exact', $5)`,
    values: [id, provider, model, `${day}T10:00:00Z`, metadata],
  })
}

describePostgresFirst("a database with rows of version 2", (open) => {
  test("is like a new one afterwards, and says from when on the totals of a metadata name are complete", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(FIRST_VERSION))
    await db.query("INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('Team', true, true)")
    await add(db, "2026-02-01", { Team: "a", Feature: "x" })
    await add(db, "2026-02-02", { Team: "a", Feature: "x" })
    await db.query("INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('Feature', true, true)")
    await add(db, "2026-02-03", { Team: "b", Feature: "x" })
    await db.query("INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('Late', true, true)")
    await db.query("UPDATE majordomo_schema SET pruned_before = '2026-02-04T00:00:00Z'")
    await db.query("DELETE FROM llm_requests WHERE created_at < '2026-02-04'")
    await add(db, "2026-02-05", { Late: "z" })

    expect((await migrate(db)).did).toBe("updated")
    const { rows } = await db.query("SELECT name, summed_since FROM llm_usage_metadata_names ORDER BY name")
    expect(rows).toEqual([
      { name: "Client", summed_since: null },
      { name: "Feature", summed_since: new Date("2026-02-03T00:00:00Z") },
      { name: "Late", summed_since: new Date("2026-02-04T00:00:00Z") },
      { name: "Team", summed_since: null },
    ])
    expect((await db.query("SELECT sum(requests)::int AS n FROM llm_usage_daily")).rows).toEqual([{ n: 4 }])
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
    expect((await db.query("SELECT max(version) AS version FROM majordomo_migrations")).rows).toEqual([
      { version: VERSION },
    ])
  })
})
