import type { Database } from "./_database.ts"
import { readIfMigrated } from "./failures.ts"
import { retryDeadlocks } from "./locks.ts"

/** About how many requests one transaction counts, so that writers wait only for a moment. */
const REQUESTS_PER_CHUNK = 5_000
const CHUNK_TIMEOUT_MS = 10 * 60_000

interface PastRunsOptions {
  /** Called before the first chunk, if there is one. */
  onStart?(): void
  /** Whether to stop after the present chunk. Another call continues there. */
  isStopped?(): boolean
}

/**
 * Adds the requests that are older than the rollup of runs to it, in chunks that are committed one by one, the newest first.
 * Reports read requests in its place until it is complete. Several gateways may do this at once: each chunk is counted once.
 * Returns whether there was anything to add.
 */
export async function countPastRuns(db: Database, { onStart, isStopped }: PastRunsOptions = {}): Promise<boolean> {
  const missing = await readIfMigrated(async () => (await db.query(IS_INCOMPLETE)).rows)
  if (missing.length === 0) return false
  onStart?.()
  while (!isStopped?.()) {
    const { rows } = await retryDeadlocks(() => db.query<{ has_more: boolean }>(COUNT_CHUNK))
    if (!rows[0]!.has_more) return true
  }
  return true
}

const IS_INCOMPLETE = "SELECT FROM majordomo_schema WHERE runs_since > '-infinity'"
const COUNT_CHUNK = {
  text: `SELECT majordomo_count_past_runs(${REQUESTS_PER_CHUNK}) AS has_more`,
  timeoutMs: CHUNK_TIMEOUT_MS,
}
