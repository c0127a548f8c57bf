import { CommandError } from "../core/errors.ts"
import type { Database, RunQuery } from "./_database.ts"
import { lockRequests, retryDeadlocks } from "./locks.ts"

/** Reports the progress of a long operation: `done` of `total` requests. */
export type OnProgress = (done: number, total: number) => void

/** About how many requests one transaction changes, so that writers wait only for a moment. */
const REQUESTS_PER_CHUNK = 10_000
const CHUNK_TIMEOUT_MS = 10 * 60_000

/**
 * Adds an active metadata name to the index and to the rollups for earlier requests. It commits in chunks, and gateways
 * go on writing meanwhile. Returns the number of requests that it added to the index.
 * @param onProgress if it returns a promise, the next chunk waits for it
 *
 * @throws CommandError if the name was activated or deactivated meanwhile
 */
export async function backfillName(
  db: Database,
  name: string,
  onProgress: (...args: Parameters<OnProgress>) => unknown,
): Promise<number> {
  const activation = await readActivation(db.query, name)
  await awaitWriters(db)
  const { rows } = await db.query<Hour>({
    text: `SELECT extract(epoch FROM hour)::float8 AS hour, sum(requests)::float8 AS requests FROM llm_usage_hourly
      WHERE hour >= coalesce((SELECT pruned_before FROM majordomo_schema), '-infinity') GROUP BY hour ORDER BY hour`,
    timeoutMs: CHUNK_TIMEOUT_MS,
  })
  const total = rows.reduce((sum, { requests }) => sum + requests, 0)
  let done = 0
  let indexed = 0
  let lastDay = ""
  await onProgress(0, total)
  for (const { hour, requests } of rows) {
    for (const [from, to] of splitHour(hour, requests)) indexed += await indexBetween(db, name, from, to)
    const day = new Date(hour * 1000).toISOString().slice(0, 10)
    if (day !== lastDay) await countDay(db, { name, activation, day })
    lastDay = day
    done += requests
    await onProgress(done, total)
  }
  await finish(db, name, activation)
  return indexed
}

/** The activation that a backfill completes. */
interface Activation {
  /** When it was made, as text of the database. */
  readonly changed_at: string | null
  readonly every_key: boolean
}

async function readActivation(query: RunQuery, name: string): Promise<Activation> {
  const { rows } = await query<Activation>({
    text: "SELECT changed_at::text, every_key FROM llm_usage_metadata_names WHERE name = $1",
    values: [name],
  })
  if (rows[0] === undefined) throw toInterrupted(name)
  return rows[0]
}

function toInterrupted(name: string): CommandError {
  return new CommandError(
    `the metadata name "${name}" was activated or deactivated by another command meanwhile: see metadata list, and run metadata activate again if it should be active`,
  )
}

/**
 * Records that the totals and the index of a name are complete, unless another activation has begun or the name was
 * deactivated: its totals were then deleted, or lack requests. Totals that are complete already stay as they are; others
 * cannot have the requests that are pruned by now.
 */
async function finish(db: Database, name: string, { changed_at, every_key }: Activation): Promise<void> {
  const { rowCount } = await db.query({
    text: `UPDATE llm_usage_metadata_names SET summed = true, indexed = every_key,
        summed_since = CASE WHEN summed THEN summed_since ELSE (SELECT pruned_before FROM majordomo_schema) END
      WHERE name = $1 AND changed_at IS NOT DISTINCT FROM $2::timestamptz AND every_key = $3`,
    values: [name, changed_at, every_key],
  })
  if (rowCount === 0) throw toInterrupted(name)
}

interface Hour {
  /** Seconds since the epoch. */
  readonly hour: number
  readonly requests: number
}

/** Waits for running statements: those that began before the name was active did not index or count it. */
async function awaitWriters(db: Database): Promise<void> {
  await db.transaction((query) => query({ text: "LOCK TABLE llm_requests IN SHARE MODE", timeoutMs: CHUNK_TIMEOUT_MS }))
}

/** Splits an hour into ranges of about one chunk each, in seconds since the epoch. */
function splitHour(hour: number, requests: number): (readonly [from: number, to: number])[] {
  const count = Math.min(3600, Math.max(1, Math.ceil(requests / REQUESTS_PER_CHUNK)))
  const at = (i: number) => hour + Math.round((3600 * i) / count)
  return Array.from({ length: count }, (_, i) => [at(i), at(i + 1)])
}

function indexBetween(db: Database, name: string, from: number, to: number): Promise<number> {
  return retryDeadlocks(() =>
    db.transaction(async (query) => {
      await query("SELECT set_config('majordomo.same_sums', 'on', true)")
      const { rowCount } = await query({
        text: `WITH chosen AS (
            SELECT id FROM llm_requests r
            WHERE created_at >= to_timestamp($2) AND created_at < to_timestamp($3)
              AND raw_metadata ->> $1 IS NOT NULL AND NOT coalesce(indexed_metadata ? $1, false)
              AND (EXISTS (SELECT FROM llm_usage_metadata_names n WHERE n.name = $1 AND n.every_key)
                OR EXISTS (SELECT FROM llm_requests_metadata_keys k WHERE (k.majordomo_api_key_id, k.key_name) = (r.majordomo_api_key_id, $1) AND k.is_active))
            ORDER BY id FOR UPDATE OF r)
          UPDATE llm_requests r SET indexed_metadata = coalesce(indexed_metadata, '{}') || jsonb_build_object($1::text, raw_metadata -> $1)
          FROM chosen c WHERE c.id = r.id`,
        values: [name, from, to],
        timeoutMs: CHUNK_TIMEOUT_MS,
      })
      return rowCount
    }),
  )
}

async function countDay(
  db: Database,
  { name, activation, day }: { readonly name: string; readonly activation: Activation; readonly day: string },
): Promise<void> {
  await retryDeadlocks(() =>
    db.transaction(async (query) => {
      await lockRequests(query)
      await query({
        text: "SELECT majordomo_count_name($1, $2::date)",
        values: [name, day],
        timeoutMs: CHUNK_TIMEOUT_MS,
      })
      // The totals are locked now, so a deactivation comes before, and is seen here, or after.
      if ((await readActivation(query, name)).changed_at !== activation.changed_at) throw toInterrupted(name)
    }),
  )
}
