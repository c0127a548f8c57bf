import type { Database, RunQuery } from "./_database.ts"
import { archivedUntil } from "./archive-bound.ts"
import type { OnProgress } from "./backfill.ts"
import { pruneJobs } from "./jobs.ts"
import { lockFirst, lockRollups, retryDeadlocks } from "./locks.ts"
import { dropPartitions } from "./partitions.ts"
import { pruneRepricings } from "./repricings.ts"
import { RUN_ROLLUP } from "./run-counters.ts"

interface PruneChoice {
  /** Ms since the epoch, rounded down to a midnight of UTC because rollups are by day. Requests that ended before are pruned. */
  readonly olderThan: number
  /** Removes the bodies and keeps the requests. */
  readonly bodiesOnly: boolean
}

const ROWS_PER_CHUNK = 10_000
const BODIES_PER_CHUNK = 1_000
const CHUNK_TIMEOUT_MS = 10 * 60_000
const DAY_MS = 86_400_000

/**
 * Returns the midnight before which requests are pruned. It is earlier than what was chosen if the archive has to have the
 * requests first. Bodies are not archived, so they do not wait.
 */
export async function findPruneDate(db: Database, { olderThan, bodiesOnly }: PruneChoice): Promise<Date> {
  const wanted = new Date(Math.floor(olderThan / DAY_MS) * DAY_MS)
  const archived = bodiesOnly ? undefined : await archivedUntil(db)
  return archived !== undefined && archived < wanted ? archived : wanted
}

/** Returns how many requests would be pruned. */
export async function countPrunable(db: Database, choice: PruneChoice): Promise<number> {
  const { rows } = await db.query<{ count: string }>({
    text: `SELECT count(*) FROM llm_requests WHERE created_at < $1${choice.bodiesOnly ? HAS_BODY : ""}`,
    values: [await findPruneDate(db, choice)],
    timeoutMs: CHUNK_TIMEOUT_MS,
  })
  return Number(rows[0]!.count)
}

/** Returns how many requests before that midnight have bodies in S3, which are not pruned. */
export async function countBodiesInS3(db: Database, choice: PruneChoice): Promise<number> {
  const { rows } = await db.query<{ count: string }>({
    text: "SELECT count(*) FROM llm_requests WHERE created_at < $1 AND s3_key IS NOT NULL",
    values: [await findPruneDate(db, choice)],
    timeoutMs: CHUNK_TIMEOUT_MS,
  })
  return Number(rows[0]!.count)
}

interface Pruned {
  readonly requests: number
  /** The number of partitions that were dropped whole. */
  readonly partitions: number
}

/**
 * Deletes old requests, or their bodies. Partitions that have only old requests are dropped; other requests are deleted in
 * chunks that are committed one by one. An interrupted run can be repeated. The rollups stay, and with them the old totals.
 * @param onStart runs in a transaction before the first chunk, unless there is nothing to prune
 */
export async function prune(
  db: Database,
  choice: PruneChoice,
  onProgress: OnProgress = () => {},
  onStart: (query: RunQuery, total: number) => Promise<void> = async () => {},
): Promise<Pruned> {
  const before = await findPruneDate(db, choice)
  const total = await countPrunable(db, choice)
  onProgress(0, total)
  if (total > 0) {
    await db.transaction(async (query) => {
      await onStart(query, total)
      if (choice.bodiesOnly) return
      // Recorded before the first row is deleted: from then on reports read everything older from the rollups.
      await query({
        text: "UPDATE majordomo_schema SET pruned_before = $1 WHERE pruned_before IS NULL OR pruned_before < $1",
        values: [before],
      })
      await query("DELETE FROM majordomo_journals WHERE written_at < now() - interval '1 year'")
    })
  }
  const onDropped = (requests: number) => onProgress(requests, Math.max(requests, total))
  const dropped = choice.bodiesOnly ? NOTHING_DROPPED : await dropPartitions(db, before, onDropped)
  let done = dropped.requests
  for (let from: string | undefined = "-infinity"; from !== undefined; ) {
    const chunk: Chunk = await pruneChunk(db, choice.bodiesOnly, from, before)
    done += chunk.count
    from = chunk.last
    onProgress(done, Math.max(done, total))
  }
  if (!choice.bodiesOnly) {
    await pruneRuns(db)
    await pruneRepricings(db)
    await pruneJobs(db, before)
    await db.query("SELECT majordomo_trim_limits()")
  }
  return { requests: done, partitions: dropped.partitions }
}

const NOTHING_DROPPED = { requests: 0, partitions: 0 }

/** Deletes the rollup of runs for pruned days, which no report reads, in chunks of whole hours. */
async function pruneRuns(db: Database): Promise<void> {
  for (let count = 1; count > 0; ) {
    count = await db.transaction(async (query) => {
      await lockRollups(query)
      return (await query({ text: PRUNE_RUNS, timeoutMs: CHUNK_TIMEOUT_MS })).rowCount
    })
  }
}

const PRUNE_RUNS = `DELETE FROM ${RUN_ROLLUP} WHERE hour <= (SELECT max(hour) FROM (
  SELECT hour FROM ${RUN_ROLLUP} WHERE hour < (SELECT pruned_before FROM majordomo_schema) ORDER BY hour LIMIT ${ROWS_PER_CHUNK}
) AS chunk)`

interface Chunk {
  readonly count: number
  /** When the last request of the chunk ended; undefined if there are no more. */
  readonly last: string | undefined
}

const HAS_BODY = " AND (request_body IS NOT NULL OR response_body IS NOT NULL)"

function pruneChunk(db: Database, bodiesOnly: boolean, from: string, before: Date): Promise<Chunk> {
  const limit = bodiesOnly ? BODIES_PER_CHUNK : ROWS_PER_CHUNK
  // Begins where the last chunk ended, because deleted rows stay in the index until VACUUM.
  const ids = `ARRAY(SELECT id FROM llm_requests WHERE created_at >= $1::timestamptz AND created_at < $2${bodiesOnly ? HAS_BODY : ""} ORDER BY created_at LIMIT ${limit})`
  const change = bodiesOnly
    ? "UPDATE llm_requests r SET request_body = NULL, response_body = NULL FROM chosen c WHERE r.id = c.id RETURNING r.created_at"
    : "DELETE FROM llm_requests r USING chosen c WHERE r.id = c.id RETURNING r.created_at"
  return retryDeadlocks(() =>
    db.transaction(async (query) => {
      await lockFirst(query, 6)
      await query("SELECT set_config('majordomo.same_sums', 'on', true)")
      const { rows } = await query<{ count: string; last: string | null }>({
        text: `WITH chosen AS (SELECT id FROM llm_requests WHERE id = ANY (${ids}) ORDER BY id FOR UPDATE), changed AS (${change})
          SELECT count(*), max(created_at)::text AS last FROM changed`,
        values: [from, before],
        timeoutMs: CHUNK_TIMEOUT_MS,
      })
      return { count: Number(rows[0]!.count), last: rows[0]!.last ?? undefined }
    }),
  )
}
