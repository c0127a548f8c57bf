import type { Database } from "./_database.ts"
import { retryDeadlocks } from "./locks.ts"
import { attempt, callShortly, isBusy, type Retries } from "./short-locks.ts"

/*
 * How reports find the requests of a value of a metadata name that is active for every key.
 *
 * * Requests that were written since have the name in `indexed_metadata`, which has one index for all names.
 *   `llm_usage_metadata_names.indexed_since` says from which moment on that is true of every request.
 * * For earlier requests, each partition has an index over the name's values in `raw_metadata`. To write the name into the
 *   rows would take fifty times as long, and double the table.
 * * A large partition into which requests of today were written would be locked too long. Its index is built beside the
 *   writers, which only the owner of the table may do, and not on the embedded database. Otherwise the requests of this
 *   month are changed, in chunks. Reports read older ones of the partition without an index, until the name is activated
 *   again in a later month.
 */

/** A partition of this size is locked for half a second. */
const MAX_LOCKED_BYTES = 128 * 1024 * 1024
/** About how many requests one transaction changes, so that writers wait only for a moment. */
const REQUESTS_PER_CHUNK = 10_000
const TIMEOUT_MS = 10 * 60_000
/** Another activation builds its indexes meanwhile. */
const BUILD_RETRIES: Retries = { attempts: 120, delayMs: 500 }
const DROP_RETRIES: Retries = { attempts: 20, delayMs: 500 }

/**
 * Waits for running statements, because those that began before the name was active did not index or count it, and records
 * from which moment on every request is indexed.
 */
export async function startIndexing(db: Database, name: string): Promise<void> {
  await db.transaction(async (query) => {
    await query({ text: "LOCK TABLE llm_requests IN SHARE MODE", timeoutMs: TIMEOUT_MS })
    // The clock of a gateway may be ahead of the database's. Reports pass moments in whole milliseconds.
    await query({
      text: `UPDATE llm_usage_metadata_names SET indexed = newest IS NULL, indexed_since = date_trunc('milliseconds', greatest(clock_timestamp(), newest)) + interval '1 millisecond'
        FROM (SELECT max(created_at) AS newest FROM llm_requests) AS requests
        WHERE name = $1 AND every_key AND NOT indexed AND indexed_since IS NULL`,
      values: [name],
      timeoutMs: TIMEOUT_MS,
    })
  })
}

interface NameIndexer {
  /**
   * Indexes the partitions that begin at this moment (ms since the epoch) or later, and that have no index of the name yet.
   * Returns the number of requests with the name that it indexed.
   */
  indexFrom(at: number): Promise<number>
}

/** Receives how many requests are read to change the rows of this month, and each chunk of them. */
interface Listener {
  onStart(requests: number): void
  onProgress(requests: number): Promise<void>
}

interface IndexChoice {
  readonly name: string
  /** When the name was activated or deactivated last, as text of the database. */
  readonly changedAt: string | null
  /** The size of a partition above which its writers do not wait for its index. */
  readonly maxLockedBytes?: number | undefined
}

/** Prepares to index the requests from before a name was active, the newest partitions first. */
export async function createNameIndexer(db: Database, choice: IndexChoice, listener: Listener): Promise<NameIndexer> {
  const { name } = choice
  const waiting = [...(await listPartitions(db, name))]
  let isMonthIndexed = false
  return {
    async indexFrom(at) {
      let indexed = 0
      while (waiting[0] !== undefined && waiting[0].starts >= at) {
        const { name: partition } = waiting.shift()!
        const requests = (await buildIndex(db, choice, partition)) ?? (await buildConcurrently(db, name, partition))
        indexed += requests ?? 0
        if (requests !== null || isMonthIndexed) continue
        isMonthIndexed = true
        indexed += await indexMonth(db, choice, listener)
      }
      return indexed
    },
  }
}

interface Partition {
  readonly name: string
  /** The moment of its first id, in ms since the epoch. */
  readonly starts: number
}

/** Returns the partitions that may have requests from before the name was indexed, the newest first. */
async function listPartitions(db: Database, name: string): Promise<readonly Partition[]> {
  const { rows } = await db.query<{ name: string; from_id: string | null }>({
    text: `SELECT p.name, from_id FROM majordomo_partitions() p JOIN llm_usage_metadata_names n ON n.name = $1
      WHERE n.indexed_since IS NOT NULL AND NOT n.indexed
        AND (from_id IS NULL OR until_id IS NULL OR from_id <= majordomo_first_id(n.indexed_since))
      ORDER BY from_id DESC NULLS LAST`,
    values: [name],
  })
  return rows.map((row) => ({ name: row.name, starts: toMoment(row.from_id) }))
}

/** The first 48 bits of an id are its time in ms. */
function toMoment(id: string | null): number {
  return id === null ? Number.NEGATIVE_INFINITY : Number.parseInt(id.replace("-", "").slice(0, 12), 16)
}

/** Returns the number of requests with the name; null if the partition could not be locked for so long. */
async function buildIndex(
  db: Database,
  { name, maxLockedBytes = MAX_LOCKED_BYTES }: IndexChoice,
  partition: string,
): Promise<number | null> {
  const text = "SELECT majordomo_index_name($1, $2, $3)::float8 AS requests"
  try {
    const build = () =>
      callShortly<{ requests: number | null }>(db, text, [name, partition, maxLockedBytes], TIMEOUT_MS)
    return (await attempt(build, BUILD_RETRIES)).requests
  } catch (error) {
    if (isBusy(error)) return null
    throw error
  }
}

/** Builds the index while batches go on writing. Returns the number of requests with the name; null if that failed. */
async function buildConcurrently(db: Database, name: string, partition: string): Promise<number | null> {
  if (db.kind === "embedded") return null
  const run = (text: string, values: readonly unknown[] = []) => db.query({ text, values, timeoutMs: TIMEOUT_MS })
  const { rows } = await db.query<{ index_name: string; definition: string; statistics: string; owns: boolean }>({
    text: `SELECT i.*, pg_has_role(relowner, 'USAGE') AS owns FROM majordomo_name_index($1, $2) i JOIN pg_class ON oid = $2::regclass`,
    values: [name, partition],
  })
  if (rows[0]?.owns !== true) return null
  const { index_name, definition, statistics } = rows[0]
  try {
    await run(`CREATE INDEX CONCURRENTLY ${definition}`)
    const built = "SELECT reltuples::float8 AS requests FROM pg_class WHERE oid = to_regclass($1)"
    const requests = (await db.query<{ requests: number }>({ text: built, values: [index_name] })).rows[0]?.requests
    await run(`CREATE STATISTICS IF NOT EXISTS ${statistics}`)
    await run(`ANALYZE ${partition}`)
    return requests ?? null
  } catch {
    // It waits for every statement that runs, such as a dump of an hour. Without the index, the requests are changed.
    await run(`DROP INDEX CONCURRENTLY IF EXISTS ${index_name}`).catch(() => {})
    return null
  }
}

interface Hour {
  /** Seconds since the epoch. */
  readonly hour: number
  readonly requests: number
}

/** Writes the name into `indexed_metadata` of this month's requests, and returns how many lacked it. */
async function indexMonth(
  db: Database,
  { name, changedAt }: IndexChoice,
  { onStart, onProgress }: Listener,
): Promise<number> {
  const { rows } = await db.query<Hour>({
    text: `SELECT extract(epoch FROM hour)::float8 AS hour, sum(requests)::float8 AS requests
      FROM llm_usage_hourly JOIN llm_usage_metadata_names ON name = $1
      WHERE hour >= date_trunc('month', indexed_since, 'UTC') AND hour < indexed_since GROUP BY hour ORDER BY hour DESC`,
    values: [name],
    timeoutMs: TIMEOUT_MS,
  })
  onStart(rows.reduce((sum, { requests }) => sum + requests, 0))
  let indexed = 0
  for (const { hour, requests } of rows) {
    for (const [from, to] of splitHour(hour, requests)) indexed += await indexBetween(db, name, from, to)
    await onProgress(requests)
  }
  await db.query({
    // Requests that were written while the name was not active meanwhile would not be indexed.
    text: `UPDATE llm_usage_metadata_names SET indexed_since = date_trunc('month', indexed_since, 'UTC')
      WHERE name = $1 AND changed_at IS NOT DISTINCT FROM $2::timestamptz`,
    values: [name, changedAt],
  })
  return indexed
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
              AND EXISTS (SELECT FROM llm_usage_metadata_names n WHERE n.name = $1 AND n.every_key)
            ORDER BY id FOR UPDATE OF r)
          UPDATE llm_requests r SET indexed_metadata = coalesce(indexed_metadata, '{}') || jsonb_build_object($1::text, raw_metadata -> $1)
          FROM chosen c WHERE c.id = r.id`,
        values: [name, from, to],
        timeoutMs: TIMEOUT_MS,
      })
      return rowCount
    }),
  )
}

/**
 * Drops the indexes of names that are no longer active for every key. Those of a partition that somebody holds all the time
 * (a report of an hour, a dump) stay, until a name is activated or deactivated again.
 */
export async function dropIdleIndexes(db: Database): Promise<void> {
  const text = "SELECT majordomo_drop_name_index() AS was_dropped"
  try {
    while ((await attempt(() => callShortly<{ was_dropped: boolean }>(db, text), DROP_RETRIES)).was_dropped);
  } catch (error) {
    if (!isBusy(error)) throw error
  }
}
