import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { listRequests } from "../../src/operations/requests/list.ts"
import { getRun, toRunObject } from "../../src/operations/runs/get.ts"
import { listRuns } from "../../src/operations/runs/list.ts"
import { parseDimensions, parseFilters, parsePeriod } from "../../src/operations/usage/question.ts"
import { reportUsage } from "../../src/operations/usage/report.ts"
import { describeDatabases } from "../support/databases.ts"

const LONG = "🎉".repeat(300)
const period = parsePeriod({ since: "2026-01-01", until: "2026-01-31", tz: "UTC" }, Date.now())
const question = (where: readonly string[] = []) => ({
  filters: parseFilters({ model: undefined, provider: undefined, key: undefined, status: undefined, where }),
  period,
})

/** Inserts one request for each object of metadata, a minute apart. */
async function insert(db: Database, rows: readonly Readonly<Record<string, string>>[]): Promise<void> {
  await db.query({
    text: `INSERT INTO llm_requests (majordomo_api_key_id, provider, model, request_path, request_method, requested_at,
        responded_at, created_at, response_time_ms, status_code, total_cost, cost_status, raw_metadata)
      SELECT gen_random_uuid(), 'openai', 'gpt-4o', '/v1/responses', 'POST', at, at, at, 1, 200, 0.25, 'exact', metadata
      FROM (SELECT metadata, '2026-01-02'::timestamptz + n * interval '1 minute' AS at
        FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS given (metadata, n)) AS rows`,
    values: [JSON.stringify(rows)],
  })
}

describeDatabases("runs", (open) => {
  test("a request belongs to the run of its trace, else to that of its session, whatever the length of the id", async () => {
    const db = await open()
    const context = { database: db }
    await insert(db, [
      { "Session-Id": "s-1", Client: "claude-code/2.1" },
      { "Session-Id": "s-1", Client: "claude-code/2.1" },
      { "Session-Id": "s-1", "Trace-Id": "t-1", "Span-Path": "plan" },
      { "Session-Id": "", Client: "curl/8.5" },
      { "Session-Id": `${LONG}a`, Client: "codex/0.153" },
      { "Session-Id": `${LONG}b` },
    ])
    const runs = await listRuns(context, { ...question(), limit: 9 })
    expect(runs.map(({ trace, requests }) => [trace, requests])).toEqual([
      [`${LONG}b`, 1],
      [`${LONG}a`, 1],
      ["t-1", 1],
      ["s-1", 2],
    ])
    const one = async (trace: string) => toRunObject(await getRun(context, { trace }))
    expect(await one("s-1")).toMatchObject({ trace: "s-1", kind: "session", requests: 2, duration_ms: 60_000 })
    expect(await one("t-1")).toMatchObject({ kind: "trace", requests: 1, spans: [{ path: "plan" }] })
    expect(await one(`${LONG}a`)).toMatchObject({ requests: 1 })
    await expect(one("nobody")).rejects.toThrow('no request has the trace or session "nobody"')
    const listed = await listRequests(context, { ...question(), filters: { trace: "s-1" }, limit: 9 })
    expect(listed.map((row) => row["raw_metadata"])).toEqual([
      { "Session-Id": "s-1", Client: "claude-code/2.1" },
      { "Session-Id": "s-1", Client: "claude-code/2.1" },
    ])
  })

  test("client, user and session are short names of dimensions and filters", async () => {
    const db = await open()
    await insert(db, [
      { Client: "codex/0.153", "User-Id": "ann", "Session-Id": "s-1" },
      { Client: "codex/0.154", "User-Id": "bob", "Session-Id": "s-2" },
      { Client: "curl/8.5", "User-Id": "ann" },
    ])
    const by = async (name: string, where: readonly string[] = []) => {
      const report = await reportUsage(
        { database: db },
        { ...question(where), by: parseDimensions(name), sort: "name", limit: undefined },
      )
      return report.answer.rows.map(({ values, requests }) => [...values, requests])
    }
    expect(await by("client")).toEqual([
      ["codex/0.153", 1],
      ["codex/0.154", 1],
      ["curl/8.5", 1],
    ])
    expect(await by("user", ["client=codex*"])).toEqual([
      ["ann", 1],
      ["bob", 1],
    ])
    expect(await by("session", ["user=ann", "session=s-1"])).toEqual([["s-1", 1]])
  })
})
