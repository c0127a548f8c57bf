import type { Database } from "./_database.ts"

/** Reports the progress of a long operation: `done` of `total` requests. */
export type OnProgress = (done: number, total: number) => void

/** About how many requests one transaction changes, so that writers wait only for a moment. */
const REQUESTS_PER_CHUNK = 10_000
const CHUNK_TIMEOUT_MS = 10 * 60_000

/**
 * Adds an active metadata name to the index and to the rollups for earlier requests. It commits in chunks, and gateways
 * go on writing meanwhile. Returns the number of requests that it added to the index.
 */
export async function backfillName(db: Database, name: string, onProgress: OnProgress): Promise<number> {
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
  onProgress(0, total)
  for (const { hour, requests } of rows) {
    for (const [from, to] of splitHour(hour, requests)) indexed += await indexBetween(db, name, from, to)
    const day = new Date(hour * 1000).toISOString().slice(0, 10)
    if (day !== lastDay) await countDay(db, name, day)
    lastDay = day
    done += requests
    onProgress(done, total)
  }
  await db.query({
    text: "UPDATE llm_usage_metadata_names SET summed = true, indexed = every_key WHERE name = $1",
    values: [name],
  })
  return indexed
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
  return db.transaction(async (query) => {
    await query("SELECT set_config('majordomo.same_sums', 'on', true)")
    const { rowCount } = await query({
      text: `UPDATE llm_requests r SET indexed_metadata = coalesce(indexed_metadata, '{}') || jsonb_build_object($1::text, raw_metadata -> $1)
        WHERE created_at >= to_timestamp($2) AND created_at < to_timestamp($3)
          AND raw_metadata ->> $1 IS NOT NULL AND NOT coalesce(indexed_metadata ? $1, false)
          AND (EXISTS (SELECT FROM llm_usage_metadata_names n WHERE n.name = $1 AND n.every_key)
            OR EXISTS (SELECT FROM llm_requests_metadata_keys k WHERE (k.majordomo_api_key_id, k.key_name) = (r.majordomo_api_key_id, $1) AND k.is_active))`,
      values: [name, from, to],
      timeoutMs: CHUNK_TIMEOUT_MS,
    })
    return rowCount
  })
}

async function countDay(db: Database, name: string, day: string): Promise<void> {
  await db.query({
    text: "SELECT majordomo_count_name($1, $2::date)",
    values: [name, day],
    timeoutMs: CHUNK_TIMEOUT_MS,
  })
}
