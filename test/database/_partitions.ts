import type { Database } from "../../src/database/_database.ts"

/** Gives past months partitions of their own. A new database has one partition for all of the past. */
export async function makeMonths(db: Pick<Database, "query">, months: readonly string[]): Promise<void> {
  const first = (month: string) => `majordomo_first_id('${month}-01T00:00:00Z')`
  const next = (month: string) =>
    new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 1)).toISOString().slice(0, 7)
  const statements = months.map(
    (month) =>
      `CREATE TABLE llm_requests_${month.replace("-", "_")} PARTITION OF llm_requests FOR VALUES FROM (${first(month)}) TO (${first(next(month))})`,
  )
  await db.query(
    [
      "ALTER TABLE llm_requests DETACH PARTITION llm_requests_first",
      `ALTER TABLE llm_requests ATTACH PARTITION llm_requests_first FOR VALUES FROM (MINVALUE) TO (${first(months[0]!)})`,
      ...statements,
    ].join(";"),
  )
}

/** An id of version 7 whose time is the same as that of the request. */
export const ID_AT = `overlay(overlay(majordomo_first_id(at)::text PLACING '7' FROM 15) PLACING lpad(n::text, 12, '0') FROM 25)::uuid`

/** Inserts requests number `first` to `last`, one every `hours` from `since` on, with ids in the order of time. Some are gaps. */
export async function insertOrdered(
  db: Pick<Database, "query">,
  since: string,
  first: number,
  last: number,
  hours = 4,
): Promise<void> {
  await db.query(`
    INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at, responded_at, response_time_ms,
      status_code, input_tokens, output_tokens, total_cost, cost_status, usage, outcome, raw_metadata, request_body, created_at)
    SELECT ${ID_AT}, 'p' || n % 2, 'm' || n % 3, '/', 'POST', at, at, n, CASE WHEN n % 7 = 0 THEN 500 ELSE 200 END, n * 10, n,
      CASE WHEN n % 5 > 0 THEN n * 0.000000000001 END, CASE WHEN n % 5 > 0 THEN 'exact' ELSE 'unpriced' END, '{"dropped": 1}',
      CASE WHEN n % 50 = 0 THEN 'gap' ELSE 'complete' END, jsonb_build_object('User-Id', (n % 7)::text, 'Trace-Id', 't' || n / 9), '{}', at
    FROM (SELECT n, '${since}'::timestamptz + make_interval(hours => n * ${hours}) AS at FROM generate_series(${first}, ${last}) n) rows`)
}

/** The number of requests in each partition that has some. */
export async function countByPartition(db: Pick<Database, "query">): Promise<Record<string, number>> {
  const { rows } = await db.query<{ name: string; count: number }>(
    "SELECT tableoid::regclass::text AS name, count(*)::int AS count FROM llm_requests GROUP BY 1 ORDER BY 1",
  )
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]))
}

/** Everything that is stored about requests, table by table. */
export async function readAllTables(db: Pick<Database, "query">): Promise<Record<string, string | null>> {
  const contents: Record<string, string | null> = {}
  for (const table of TABLES) {
    const { rows } = await db.query<{ rows: string | null }>(
      `SELECT jsonb_agg(to_jsonb(t) - ARRAY['created_at', 'verified_at', 'updated_at'] ORDER BY to_jsonb(t)::text)::text AS rows FROM ${table} t`,
    )
    contents[table] = rows[0]!.rows
  }
  return contents
}

const TABLES = [
  "llm_requests",
  "llm_request_repricings",
  "llm_usage_hourly",
  "llm_usage_hourly_keys",
  "llm_usage_daily",
  "llm_usage_metadata",
  "llm_usage_metadata_weekly",
  "llm_usage_metadata_values",
  "llm_usage_runs",
]
