import type { Notification } from "../core/notification.ts"
import type { Database } from "./_database.ts"
import { readIfMigrated } from "./failures.ts"
import { type NotificationRow, toNotification } from "./notifications.ts"

type Queryable = Pick<Database, "query">

const TIMEOUT_MS = 5_000

/**
 * The messages that are due. A message that was never tried, or was tried in the future, has waited since before the clock of
 * the database went back, and would wait again as long as it went back.
 */
const IS_DUE = `state = 'waiting'
  AND (next_attempt_at <= now() OR attempts = 0 OR attempted_at > now() + interval '5 minutes')`

/** A message that this gateway sends now, and no other one until its lease ends. */
export interface ClaimedDelivery {
  readonly id: string
  readonly channel: string
  /** Attempts, this one included. */
  readonly attempts: number
  /** The time since the notification was stored. */
  readonly ageMs: number
  readonly notification: Notification
}

/** Returns the channels for which a message is due. */
export async function listDueChannels(db: Queryable): Promise<readonly string[]> {
  const { rows } = await db.query<{ channel: string }>({
    text: `SELECT DISTINCT channel FROM majordomo_deliveries WHERE ${IS_DUE}`,
    timeoutMs: TIMEOUT_MS,
  })
  return rows.map(({ channel }) => channel)
}

/** Claims the message of a channel that is due for the longest time; undefined if there is none. */
export async function claimDelivery(
  db: Queryable,
  { channel, leaseMs }: { readonly channel: string; readonly leaseMs: number },
): Promise<ClaimedDelivery | undefined> {
  const { rows } = await db.query<NotificationRow & { delivery: string; attempts: number; age_ms: number }>({
    text: `WITH claimed AS (
        UPDATE majordomo_deliveries SET attempts = attempts + 1, attempted_at = now(),
          next_attempt_at = now() + make_interval(secs => $2)
        WHERE id = (SELECT id FROM majordomo_deliveries
          WHERE ${IS_DUE} AND channel = $1
          ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id, notification_id, attempts)
      SELECT n.*, c.id AS delivery, c.attempts, (extract(epoch FROM now() - n.created_at) * 1000)::float8 AS age_ms
      FROM claimed c JOIN majordomo_notifications n ON n.id = c.notification_id`,
    values: [channel, leaseMs / 1000],
    timeoutMs: TIMEOUT_MS,
  })
  const [row] = rows
  if (row === undefined) return undefined
  const { delivery: id, attempts, age_ms: ageMs } = row
  return { id, channel, attempts, ageMs, notification: toNotification(row) }
}

/** The result of an attempt. `note` of a sent message says which of its receivers rejected it. */
export type AttemptResult =
  | { readonly state: "sent"; readonly note?: string | undefined }
  | { readonly state: "failed"; readonly error: string }
  | { readonly state: "waiting"; readonly error: string; readonly afterMs: number }

/** Stores what became of an attempt. A message that was sent or has failed stays so. */
export async function settleDelivery(db: Queryable, id: string, result: AttemptResult): Promise<void> {
  const isSent = result.state === "sent"
  await db.query({
    text: `UPDATE majordomo_deliveries SET state = $2, error = $3, sent_at = CASE WHEN $2 = 'sent' THEN now() END,
        next_attempt_at = now() + make_interval(secs => $4)
      WHERE id = $1 AND state = 'waiting'`,
    values: [
      id,
      result.state,
      (isSent ? result.note : result.error) ?? null,
      result.state === "waiting" ? result.afterMs / 1000 : 0,
    ],
    timeoutMs: TIMEOUT_MS,
  })
}

/** Fails the messages that have been due for a day for channels that this gateway does not have, and nobody else claims. */
export async function failAbandoned(db: Queryable, channels: readonly string[]): Promise<void> {
  await db.query({
    text: `UPDATE majordomo_deliveries SET state = 'failed', error = 'no gateway has a channel of this name'
      WHERE state = 'waiting' AND next_attempt_at < now() - interval '1 day' AND channel <> ALL ($1::text[])`,
    values: [channels],
  })
}

/** The results of the messages of one channel. */
interface ChannelState {
  readonly channel: string
  readonly lastSentAt: Date | null
  /** Why the last attempt failed; null if it succeeded. */
  readonly lastError: string | null
}

export async function readChannelStates(db: Queryable): Promise<readonly ChannelState[]> {
  const { rows } = await db.query<ChannelState>(`SELECT channel, max(sent_at) AS "lastSentAt",
      (array_agg(error ORDER BY attempted_at DESC))[1] AS "lastError"
    FROM majordomo_deliveries WHERE attempted_at IS NOT NULL GROUP BY channel`)
  return rows
}

/** Returns how many messages wait. */
export async function countWaiting(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ waiting: string }>({
    text: "SELECT count(*) AS waiting FROM majordomo_deliveries WHERE state = 'waiting'",
    timeoutMs: TIMEOUT_MS,
  })
  return Number(rows[0]!.waiting)
}

/** The messages of one channel that were given up. */
interface FailedDeliveries {
  readonly channel: string
  readonly count: number
  /** The error of the newest one. */
  readonly error: string
}

/** Returns the messages that were given up in the last 24 hours, by channel; none in a database without such a table yet. */
export async function listFailed(db: Queryable): Promise<readonly FailedDeliveries[]> {
  return readIfMigrated(async () => {
    const { rows } = await db.query<FailedDeliveries>(`SELECT channel, count(*)::int AS count,
        coalesce((array_agg(error ORDER BY attempted_at DESC))[1], '') AS error
      FROM majordomo_deliveries WHERE state = 'failed' AND coalesce(attempted_at, next_attempt_at) > now() - interval '1 day'
      GROUP BY channel ORDER BY channel`)
    return rows
  })
}
