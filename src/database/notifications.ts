import { createHash } from "node:crypto"
import type { Notification, NotificationKind } from "../core/notification.ts"
import { uuidV7 } from "../kit/uuid.ts"
import type { Database, RunQuery } from "./_database.ts"
import { toStorable, toStorableJson } from "./storable.ts"

type Queryable = Pick<Database, "query">

/** A message of a new notification to one channel. */
export interface NewDelivery {
  readonly channel: string
  /** Set for a message that was sent while the database was away. */
  readonly sentAt?: Date | undefined
  /** Why sending it failed, while the database was away. */
  readonly error?: string | undefined
}

export interface StoreOptions {
  /** It is not stored if one with the same kind, subject and `facts.changes` was stored in the last so many hours. */
  readonly unlessWithinHours?: number | undefined
}

/** The longest subject and period, in characters. */
const MAX_TEXT = 1000

/**
 * Stores a notification with its deliveries, unless one with the same kind, subject and period is there already.
 *
 * @returns whether it was stored
 */
export async function storeNotification(
  query: RunQuery,
  notification: Notification,
  deliveries: readonly NewDelivery[],
  { unlessWithinHours }: StoreOptions = {},
): Promise<boolean> {
  const { kind, subject, window, severity, at, facts } = notification
  const now = Date.now()
  const messages = deliveries.map(({ channel, sentAt, error }) => ({
    id: uuidV7(now),
    channel,
    sent_at: sentAt ?? null,
    error: error ?? null,
  }))
  const { rowCount } = await query({
    text: STORE,
    values: [
      uuidV7(now),
      kind,
      toStorable(subject).slice(0, MAX_TEXT),
      toStorable(window).slice(0, MAX_TEXT),
      severity,
      at,
      toStorableJson(facts),
      JSON.stringify(messages),
      unlessWithinHours ?? 0,
      createHash("sha256")
        .update(JSON.stringify([kind, subject, window]))
        .digest("hex"),
    ],
    timeoutMs: 5_000,
  })
  return rowCount > 0
}

const STORE = `WITH added AS (
  INSERT INTO majordomo_notifications (id, kind, subject, period, severity, found_at, facts, identity)
  SELECT $1, $2, $3, $4, $5, $6, $7::jsonb, $10 WHERE NOT EXISTS (SELECT FROM majordomo_notifications n
    WHERE n.kind = $2 AND n.subject = $3 AND n.facts -> 'changes' = $7::jsonb -> 'changes'
      AND n.created_at > now() - make_interval(hours => $9))
  ON CONFLICT DO NOTHING RETURNING id
)
INSERT INTO majordomo_deliveries (id, notification_id, channel, state, attempts, attempted_at, sent_at, error)
SELECT d.id, added.id, d.channel, CASE WHEN d.sent_at IS NULL THEN 'waiting' ELSE 'sent' END,
  CASE WHEN d.sent_at IS NULL AND d.error IS NULL THEN 0 ELSE 1 END,
  CASE WHEN d.error IS NULL THEN d.sent_at ELSE now() END, d.sent_at, d.error
FROM added, jsonb_to_recordset($8) AS d(id uuid, channel text, sent_at timestamptz, error text)`

/** A stored notification with its messages. */
export interface StoredNotification {
  readonly id: string
  readonly notification: Notification
  readonly deliveries: readonly StoredDelivery[]
}

/** The message of a notification to one channel. */
interface StoredDelivery {
  readonly channel: string
  readonly state: "waiting" | "sent" | "failed"
  readonly attempts: number
  readonly nextAttemptAt: Date
  readonly sentAt: Date | null
  /** Why the last attempt failed. */
  readonly error: string | null
}

/** A row of `majordomo_notifications`. */
export interface NotificationRow {
  readonly id: string
  readonly kind: NotificationKind
  readonly subject: string
  readonly period: string
  readonly severity: Notification["severity"]
  readonly found_at: Date
  readonly facts: Notification["facts"]
}

export function toNotification({ kind, subject, period, severity, found_at, facts }: NotificationRow): Notification {
  return { kind, subject, window: period, severity, at: found_at.toISOString(), facts }
}

interface Page {
  readonly limit: number
  /** The id of the last notification of the page before. */
  readonly after: string | undefined
  readonly kind: NotificationKind | undefined
}

/** Returns the newest notifications first. */
export async function readNotifications(db: Queryable, { limit, after, kind }: Page): Promise<StoredNotification[]> {
  const { rows } = await db.query<NotificationRow>({
    text: `SELECT id, kind, subject, period, severity, found_at, facts FROM majordomo_notifications
      WHERE ($1::text IS NULL OR kind = $1)
        AND ($2::uuid IS NULL OR (created_at, id) < (SELECT created_at, id FROM majordomo_notifications WHERE id = $2))
      ORDER BY created_at DESC, id DESC LIMIT $3`,
    values: [kind ?? null, after ?? null, limit],
  })
  const { rows: deliveries } = await db.query<StoredDelivery & { readonly notification_id: string }>({
    text: `SELECT notification_id, channel, state, attempts, next_attempt_at AS "nextAttemptAt", sent_at AS "sentAt", error
      FROM majordomo_deliveries WHERE notification_id = ANY ($1::uuid[]) ORDER BY channel`,
    values: [rows.map(({ id }) => id)],
  })
  return rows.map((row) => ({
    id: row.id,
    notification: toNotification(row),
    deliveries: deliveries.filter(({ notification_id: id }) => id === row.id),
  }))
}

/** Deletes notifications that are older than so many days and of which no message waits. */
export async function pruneNotifications(db: Queryable, days: number): Promise<void> {
  await db.query({
    text: `DELETE FROM majordomo_notifications n WHERE created_at < now() - make_interval(days => $1)
      AND NOT EXISTS (SELECT FROM majordomo_deliveries WHERE notification_id = n.id AND state = 'waiting')`,
    values: [days],
  })
}
