import { expect, test } from "vitest"
import { readUsageSums } from "../../src/database/usage-sums.ts"
import { describeDatabases } from "../support/databases.ts"

describeDatabases("the sums of the present day and month", (open) => {
  test("are exact by model, and those beyond the limit are one sum for each provider", async () => {
    const database = await open()
    const at = "2026-11-20T12:00:00Z"
    await database.query(
      `INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, created_at, response_time_ms, status_code, total_cost, cost_status)
       SELECT CASE WHEN n % 2 = 0 THEN 'openai' ELSE 'anthropic' END, 'm' || n % 6, '/', 'POST', at, at, at, 1, 200,
         CASE WHEN n % 6 = 5 THEN NULL ELSE n % 6 + 0.000000000001 END, CASE WHEN n % 6 = 5 THEN 'unpriced' ELSE 'exact' END
       FROM generate_series(0, 11) AS n,
         LATERAL (SELECT CASE WHEN n < 6 THEN '2026-11-20T01:00Z' ELSE '2026-11-02T00:00Z' END::timestamptz AS at) AS t
       UNION ALL SELECT 'openai', 'm4', '/', 'POST', at, at, at, 1, 200, 100, 'exact'
       FROM (SELECT '2026-10-31T23:59Z'::timestamptz AS at) AS earlier`,
    )
    const sums = await readUsageSums(database, { at: Date.parse(at), most: 2 })
    const sum = (requests: number, cost: string, unpriced = 0) => ({ requests, cost, unpriced })
    expect(sums).toEqual([
      { provider: "openai", model: "m4", day: sum(1, "4.000000000001"), month: sum(2, "8.000000000002") },
      { provider: "anthropic", model: "m3", day: sum(1, "3.000000000001"), month: sum(2, "6.000000000002") },
      { provider: "openai", model: "(other)", day: sum(2, "2.000000000002"), month: sum(4, "4.000000000004") },
      { provider: "anthropic", model: "(other)", day: sum(2, "1.000000000001", 1), month: sum(4, "2.000000000002", 2) },
    ])
    expect(await readUsageSums(database, { at: Date.parse("2027-01-01T00:00:00Z"), most: 2 })).toEqual([])
  })
})
