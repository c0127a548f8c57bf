import { expect, test } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { askRuns } from "../../src/reports/index.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, insertOldRequest, makeOlderScript } from "./_schemas.ts"

/** The last version without statistics of the runs of requests. */
const VERSION_BEFORE = 18

describePostgresFirst(`a database with rows of version ${VERSION_BEFORE}`, (open) => {
  test("keeps its rows, and a list of few runs reads only their requests from then on", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(VERSION_BEFORE))
    const id = await insertOldRequest(db)
    await db.query(`INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at,
        response_time_ms, status_code, raw_metadata)
      SELECT 'openai', 'gpt-4o', '/', 'POST', now(), now(), 1, 200,
        CASE WHEN n % 500 = 0 THEN jsonb_build_object('Trace-Id', n) ELSE '{"User-Id": "ada"}' END
      FROM generate_series(1, 5000) n`)
    expect((await migrate(db)).did).toBe("updated")
    expect((await db.query({ text: "SELECT id FROM llm_requests WHERE id = $1", values: [id] })).rows).toEqual([{ id }])
    const period = { since: Date.now() - 86_400_000, until: undefined, tz: "UTC" }
    const { text, values } = askRuns({ filters: {}, period, sort: "cost", limit: 5 })
    const plan = await db.query<Record<string, string>>({ text: `EXPLAIN ${text}`, values: [...values] })
    expect(plan.rows.map((row) => row["QUERY PLAN"]).join("\n")).toContain(
      // Random ids, so the table became the partition of those.
      "Index Scan using llm_requests_unordered_runs_created_at",
    )
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
