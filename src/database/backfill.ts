import { CommandError } from "../core/errors.ts"
import type { Database, RunQuery } from "./_database.ts"
import { lockRequests, retryDeadlocks } from "./locks.ts"
import { createNameIndexer, startIndexing } from "./name-index.ts"

/** Reports the progress of a long operation: `done` of `total` requests. */
export type OnProgress = (done: number, total: number) => void

const DAY_TIMEOUT_MS = 10 * 60_000

/**
 * Adds the earlier requests of an active metadata name to the rollups, and indexes them if it is active for every key. Days
 * are counted from the newest one on, and each is committed, so that a run that was ended goes on where it was. Gateways go
 * on writing meanwhile. Returns the number of requests that it indexed.
 * @param onProgress if it returns a promise, the next day waits for it
 * @param options.maxLockedBytes the size of a partition above which its writers do not wait for its index
 *
 * @throws CommandError if the name was activated or deactivated meanwhile
 */
export async function backfillName(
  db: Database,
  name: string,
  onProgress: (...args: Parameters<OnProgress>) => unknown,
  { maxLockedBytes }: { readonly maxLockedBytes?: number } = {},
): Promise<number> {
  const activation = await readActivation(db.query, name)
  await startIndexing(db, name)
  const days = await listUncounted(db, name)
  let total = days.reduce((sum, { requests }) => sum + requests, 0)
  let done = 0
  const indexer = await createNameIndexer(
    db,
    { name, changedAt: activation.changed_at, maxLockedBytes },
    {
      onStart: (requests) => {
        total += requests
      },
      onProgress: async (requests) => {
        done += requests
        await onProgress(done, total)
      },
    },
  )
  let indexed = 0
  await onProgress(0, total)
  for (const { day, requests } of days) {
    indexed += await indexer.indexFrom(Date.parse(day))
    await countDay(db, { name, activation, day })
    done += requests
    await onProgress(done, total)
  }
  indexed += await indexer.indexFrom(Number.NEGATIVE_INFINITY)
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

interface Day {
  /** `2026-11-28`, in UTC. */
  readonly day: string
  readonly requests: number
}

/**
 * Returns the days that the rollups of a name do not count yet, the newest first. Later days are counted as they come,
 * because the name is active.
 */
async function listUncounted(db: Database, name: string): Promise<readonly Day[]> {
  const { rows } = await db.query<Day>({
    text: `SELECT (hour AT TIME ZONE 'UTC')::date::text AS day, sum(requests)::float8 AS requests
      FROM llm_usage_hourly CROSS JOIN llm_usage_metadata_names n
      WHERE n.name = $1 AND NOT n.summed AND hour < coalesce(n.counted_from, 'infinity')
        AND hour >= coalesce((SELECT pruned_before FROM majordomo_schema), '-infinity')
      GROUP BY 1 ORDER BY 1 DESC`,
    values: [name],
    timeoutMs: DAY_TIMEOUT_MS,
  })
  return rows
}

/**
 * Records that the totals of a name are complete, unless another activation has begun or the name was deactivated: its
 * totals were then deleted, or lack requests. Totals that are complete already stay as they are; others cannot have the
 * requests that are pruned by now.
 */
async function finish(db: Database, name: string, { changed_at, every_key }: Activation): Promise<void> {
  const { rowCount } = await db.query({
    text: `UPDATE llm_usage_metadata_names SET summed = true, counted_from = NULL,
        summed_since = CASE WHEN summed THEN summed_since ELSE (SELECT pruned_before FROM majordomo_schema) END
      WHERE name = $1 AND changed_at IS NOT DISTINCT FROM $2::timestamptz AND every_key = $3`,
    values: [name, changed_at, every_key],
  })
  if (rowCount === 0) throw toInterrupted(name)
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
        timeoutMs: DAY_TIMEOUT_MS,
      })
      // The totals are locked now, so a deactivation comes before, and is seen here, or after.
      if ((await readActivation(query, name)).changed_at !== activation.changed_at) throw toInterrupted(name)
      await query({
        text: `UPDATE llm_usage_metadata_names SET counted_from = least(counted_from, $2::date::timestamp AT TIME ZONE 'UTC')
          WHERE name = $1 AND NOT summed`,
        values: [name, day],
      })
    }),
  )
}
