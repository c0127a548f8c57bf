import type { Database } from "./_database.ts"
import { lockFirst } from "./locks.ts"

/** A job of a provider that may still cost something, because its results were not fetched to the end. */
interface PendingJob {
  readonly provider: string
  /** The provider's own id. */
  readonly id: string
  readonly kind: string
  readonly state: string
  readonly created_at: Date
  readonly majordomo_api_key_id: string | null
  /** The name of that key; null if the key does not exist any more. */
  readonly key: string | null
  readonly billed_items: number
  /** Null: the provider has not said how many there are. */
  readonly expected_items: number | null
  /** The path of the GET that shows what is missing. */
  readonly fetch_path: string | null
}

/** Returns the jobs that gateways of this database created and that are not settled, the oldest first. */
export async function listPendingJobs(db: Database, limit: number): Promise<readonly PendingJob[]> {
  const { rows } = await db.query<PendingJob>({
    text: `SELECT j.provider, j.id, j.kind, j.state, j.created_at, j.majordomo_api_key_id, k.name AS key,
        j.billed_items::float8 AS billed_items, j.expected_items::float8 AS expected_items, j.fetch_path
      FROM llm_jobs j LEFT JOIN api_keys k ON k.id = j.majordomo_api_key_id
      WHERE j.settled_at IS NULL AND j.created_by IS NOT NULL ORDER BY j.created_at, j.provider, j.id LIMIT $1`,
    values: [limit],
  })
  return rows
}

/** The results that were fetched and are not billed, because no gateway created their jobs. */
interface UnbilledItems {
  readonly items: number
  /** The jobs or files that contain them. */
  readonly sources: number
}

export async function countUnbilledItems(db: Database): Promise<UnbilledItems> {
  const { rows } = await db.query<UnbilledItems>(`SELECT count(*)::float8 AS items,
    count(DISTINCT (provider, source))::float8 AS sources FROM llm_job_items WHERE record IS NOT NULL`)
  return rows[0]!
}

const PRUNE_TIMEOUT_MS = 10 * 60_000

/**
 * Deletes settled jobs from before a time, and what no job needs any more. If a client fetches their results again, they
 * are not billed: to the gateway, such a job is one that it did not create.
 */
export async function pruneJobs(db: Database, before: Date): Promise<void> {
  await db.transaction(async (query) => {
    // The lock of the ledger, so that no item arrives in between (ledger/jobs.ts).
    await lockFirst(query, 7, PRUNE_TIMEOUT_MS)
    for (const text of PRUNE) await query({ text, values: [before], timeoutMs: PRUNE_TIMEOUT_MS })
  })
}

const PRUNE = [
  "DELETE FROM llm_jobs WHERE created_at < $1 AND (settled_at IS NOT NULL OR created_by IS NULL)",
  `DELETE FROM llm_job_items i WHERE i.seen_at < $1
    AND NOT EXISTS (SELECT FROM llm_jobs j WHERE (j.provider, j.id) = (i.provider, i.source))
    AND NOT EXISTS (SELECT FROM llm_job_files f JOIN llm_jobs j ON (j.provider, j.id) = (f.provider, f.job_id)
      WHERE (f.provider, f.file) = (i.provider, i.source))`,
  `DELETE FROM llm_job_files f WHERE NOT EXISTS (SELECT FROM llm_jobs j WHERE (j.provider, j.id) = (f.provider, f.job_id))
    AND NOT EXISTS (SELECT FROM llm_job_items i WHERE (i.provider, i.source) = (f.provider, f.file) AND i.seen_at >= $1)`,
]
