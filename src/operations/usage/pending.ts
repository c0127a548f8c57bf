import { countUnbilledItems, listPendingJobs } from "../../database/jobs.ts"
import type { Context } from "../context.ts"

/** A job whose results were not fetched to the end, so that what it costs is not known or only known in part. */
export interface PendingJob {
  readonly provider: string
  /** The provider's own id. */
  readonly id: string
  readonly kind: string
  /** `running`, as far as the gateway knows, or `done` or `failed`. */
  readonly state: string
  /** ISO 8601 in UTC. */
  readonly created_at: string
  /** Seconds since then. */
  readonly age: number
  /** The name of the API key that created it, or else the key's id. */
  readonly key: string | null
  readonly billed_items: number
  /** null: the provider has not said how many there are. */
  readonly expected_items: number | null
  /** The path to GET through the gateway. null: not known. */
  readonly fetch: string | null
}

export interface Pending {
  readonly jobs: readonly PendingJob[]
  /** Results that were fetched and are not billed, because no gateway created their jobs (`metering.foreign_jobs`). */
  readonly unbilled: { readonly items: number; readonly sources: number }
}

/** Lists the jobs that wait to be fetched, the oldest first. */
export async function listPending(
  { database }: Context<"database">,
  { limit, now }: { readonly limit: number /** Milliseconds since the epoch. */; readonly now: number },
): Promise<Pending> {
  const jobs = await listPendingJobs(database, limit)
  return {
    jobs: jobs.map(({ majordomo_api_key_id, key, created_at, fetch_path, ...job }) => ({
      ...job,
      created_at: created_at.toISOString(),
      age: Math.max(0, Math.floor((now - created_at.getTime()) / 1000)),
      key: key ?? majordomo_api_key_id,
      fetch: fetch_path,
    })),
    unbilled: await countUnbilledItems(database),
  }
}
