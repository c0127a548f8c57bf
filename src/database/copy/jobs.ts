import type { Database } from "../_database.ts"
import { COPY_TIMEOUT_MS, listColumns, write } from "./tables.ts"

const ROWS_AT_ONCE = 1000
/** Each table with its primary key. Items come first: an item that is billed must not arrive after its job. */
const TABLES = [
  ["llm_job_items", ["provider", "source", "item"]],
  ["llm_job_files", ["provider", "file"]],
  ["llm_jobs", ["provider", "id"]],
] as const

/** Copies jobs and their billed items, so that results that are fetched again are not billed again. */
export async function copyJobs(source: Database, target: Database): Promise<void> {
  for (const [table, key] of TABLES) await copyTable(source, target, table, key)
}

async function copyTable(source: Database, target: Database, table: string, key: readonly string[]): Promise<void> {
  const columns = await listColumns(source, table)
  const places = key.map((_, index) => `$${index + 1}`).join(", ")
  for (let after: readonly string[] = key.map(() => ""); ; ) {
    const { rows } = await source.query<{ batch: string | null; last: readonly string[] | null }>({
      text: `SELECT json_agg(r)::text AS batch, (array_agg(ARRAY[${key}] ORDER BY ${key.map((name) => `${name} DESC`)}))[1:1] AS last
        FROM (SELECT ${columns} FROM ${table} WHERE (${key}) > (${places}) ORDER BY ${key} LIMIT ${ROWS_AT_ONCE}) AS r`,
      values: after,
      timeoutMs: COPY_TIMEOUT_MS,
    })
    const { batch, last } = rows[0]!
    if (batch === null || last === null) return
    await write(
      target,
      `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::${table}, $1::json)
        ON CONFLICT DO NOTHING`,
      [batch],
    )
    after = last.flat()
  }
}
