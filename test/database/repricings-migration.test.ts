import { expect, test } from "vitest"
import { prune } from "../../src/database/prune.ts"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"

describePostgresFirst("a database with repricings of version 10", (open) => {
  test("is like a new one afterwards, and its next prune deletes those of requests that are gone", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(10))
    await db.query(`WITH request AS (
        INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, created_at,
          response_time_ms, status_code, total_cost, cost_status)
        VALUES ('openai', 'm', '/', 'POST', '2026-02-01', '2026-02-01', '2026-02-01', 1, 200, 1, 'exact') RETURNING id)
      INSERT INTO llm_request_repricings (request_id, reason, old_cost_status, new_cost_status)
      SELECT id, 'exists', 'unpriced', 'exact' FROM request UNION ALL SELECT gen_random_uuid(), 'pruned', 'unpriced', 'exact'`)

    expect((await migrate(db)).did).toBe("updated")
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
    await expect(db.query("DELETE FROM llm_request_repricings")).rejects.toThrow("only takes new rows")
    await prune(db, { olderThan: Date.parse("2026-01-01"), bodiesOnly: false })
    expect((await db.query("SELECT reason FROM llm_request_repricings")).rows).toEqual([{ reason: "exists" }])
  })
})
