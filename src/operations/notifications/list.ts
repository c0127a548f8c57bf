import type { Notification, NotificationFacts, NotificationKind } from "../../core/notification.ts"
import { readNotifications, type StoredNotification } from "../../database/notifications.ts"
import type { Context } from "../context.ts"
import { toWords } from "./words.ts"

interface ListInput {
  readonly limit: number
  /** The `next` of the page before. */
  readonly cursor: string | undefined
  readonly kind: NotificationKind | undefined
}

/** A notification as JSON shows it. Times are ISO 8601 in UTC. */
export interface NotificationObject {
  readonly id: string
  readonly kind: NotificationKind
  readonly subject: string
  readonly window: string
  readonly severity: Notification["severity"]
  readonly at: string
  readonly title: string
  readonly summary: string
  readonly facts: NotificationFacts[NotificationKind]
  readonly deliveries: readonly {
    readonly channel: string
    readonly state: "waiting" | "sent" | "failed"
    readonly attempts: number
    /** When the next attempt is made; null unless it waits. */
    readonly next_attempt_at: string | null
    readonly sent_at: string | null
    /** Why the last attempt failed, or which receivers rejected the message. */
    readonly error: string | null
  }[]
}

interface NotificationPage {
  readonly items: readonly NotificationObject[]
  /** The cursor of the next page; null if this is the last one. */
  readonly next: string | null
}

/** Lists the notifications that were sent or wait, the newest first. */
export async function listNotifications(
  context: Context<"database" | "settings">,
  { limit, cursor, kind }: ListInput,
): Promise<NotificationPage> {
  const found = await readNotifications(context.database, { limit: limit + 1, after: cursor, kind })
  const items = found.slice(0, limit).map((stored) => toObject(context, stored))
  return { items, next: found.length > limit ? items.at(-1)!.id : null }
}

function toObject(
  context: Context<"settings">,
  { id, notification, deliveries }: StoredNotification,
): NotificationObject {
  const { kind, subject, window, severity, at, facts } = notification
  const { title, summary } = toWords(context, notification)
  return {
    ...{ id, kind, subject, window, severity, at, title, summary, facts },
    deliveries: deliveries.map(({ channel, state, attempts, nextAttemptAt, sentAt, error }) => ({
      channel,
      state,
      attempts,
      next_attempt_at: state === "waiting" ? nextAttemptAt.toISOString() : null,
      sent_at: sentAt?.toISOString() ?? null,
      error,
    })),
  }
}
