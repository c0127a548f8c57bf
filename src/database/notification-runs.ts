import type { Database } from "./_database.ts"

type Queryable = Pick<Database, "query">

const TIMEOUT_MS = 5_000
/** A run that takes longer has failed, or its gateway has died. */
const RETRY_AFTER = "10 minutes"

/**
 * Returns whether this gateway does a work that is due since `dueAt`: one of all gateways gets `true`, once for each time. A
 * work that no gateway has done before is due the next time only, so that nothing old is sent after an installation.
 *
 * The clock of the database decides whether it is due, which all gateways share: one whose clock is a day ahead would send a
 * digest of a period that has not ended, and nobody would send the whole one.
 */
export async function claimRun(db: Queryable, name: string, dueAt: Date): Promise<boolean> {
  const { rowCount } = await db.query({
    text: `UPDATE majordomo_notification_runs SET started_at = now()
      WHERE name = $1 AND coalesce(finished_at, '-infinity') < $2
        AND (started_at < $2 OR started_at < now() - interval '${RETRY_AFTER}') AND $2 <= now()`,
    values: [name, dueAt],
    timeoutMs: TIMEOUT_MS,
  })
  if (rowCount === 1) return true
  await db.query({
    text: `INSERT INTO majordomo_notification_runs (name, started_at, finished_at) VALUES ($1, now(), now())
      ON CONFLICT DO NOTHING`,
    values: [name],
    timeoutMs: TIMEOUT_MS,
  })
  return false
}

/** Notes that a claimed run is done, so that no gateway repeats it. */
export async function finishRun(db: Queryable, name: string): Promise<void> {
  await db.query({
    text: "UPDATE majordomo_notification_runs SET finished_at = now() WHERE name = $1",
    values: [name],
    timeoutMs: TIMEOUT_MS,
  })
}
