import { CommandError } from "../core/errors.ts"
import type { Database } from "./_database.ts"
import { copyKeys, copyMetadataNames, raiseCounters } from "./copy/keys.ts"
import { copyRepricings } from "./copy/repricings.ts"
import { copyPrunedRollups } from "./copy/rollups.ts"
import { listColumns, NO_HURRY_MS } from "./copy/tables.ts"
import { migrate } from "./schema.ts"
import { readSchemaState } from "./schema-state.ts"

export interface Copied {
  readonly keys: number
  /** Requests that the source has. */
  readonly requests: number
  /** Of them, those that were not there before. */
  readonly added: number
  readonly repricings: number
  /** Why totals of pruned days were left out; undefined: they were copied, or there are none. */
  readonly sumsLeftOut: string | undefined
}

/** With bodies in them, rows may have 128 KiB each. */
const ROWS_AT_ONCE = 250

/**
 * Copies keys, requests, metadata names, repricings and the totals of pruned days into another database, whose schema
 * it applies first. Rows keep their ids, so it may be repeated, also after an interruption and while both are in use: what is
 * there already stays and is counted once. Sums come from the target's own triggers.
 */
export async function copyDatabase(
  source: Database,
  target: Database,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<Copied> {
  if ((await readSchemaState(source.query)).kind === "none")
    throw new CommandError("the embedded database is empty: nothing to copy")
  await migrate(source)
  await migrate(target)
  const keys = await copyKeys(source, target)
  await copyMetadataNames(source, target)
  const rows = await copyRequests(source, target, onProgress)
  const repricings = await copyRepricings(source, target)
  await raiseCounters(source, target)
  const sumsLeftOut = await copyPrunedRollups(source, target)
  return { keys, ...rows, repricings, sumsLeftOut }
}

async function copyRequests(
  source: Database,
  target: Database,
  onProgress: (done: number, total: number) => void,
): Promise<{ readonly requests: number; readonly added: number }> {
  const columns = await listColumns(source, "llm_requests")
  const total = Number(await count(source, "llm_requests"))
  let requests = 0
  let added = 0
  onProgress(0, total)
  for (let after = "00000000-0000-0000-0000-000000000000"; ; ) {
    const { rows } = await source.query<{ batch: string; count: number; last: string | null }>({
      text: `SELECT coalesce(json_agg(r), '[]')::text AS batch, count(*)::int AS count, (array_agg(r.id ORDER BY r.id DESC))[1] AS last
        FROM (SELECT ${columns} FROM llm_requests WHERE id > $1 ORDER BY id LIMIT ${ROWS_AT_ONCE}) AS r`,
      values: [after],
      timeoutMs: NO_HURRY_MS,
    })
    const { batch, count: size, last } = rows[0]!
    if (last === null) return { requests, added }
    // The text goes on as it is: no number in it becomes one of JavaScript's.
    const inserted = await target.query({
      text: `INSERT INTO llm_requests (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::llm_requests, $1::json)
        ON CONFLICT (id) DO NOTHING`,
      values: [batch],
      timeoutMs: NO_HURRY_MS,
    })
    after = last
    requests += size
    added += inserted.rowCount
    onProgress(requests, Math.max(requests, total))
  }
}

async function count(db: Database, table: string): Promise<string> {
  const text = `SELECT count(*) AS count FROM ${table}`
  return (await db.query<{ count: string }>({ text, timeoutMs: NO_HURRY_MS })).rows[0]!.count
}
