import type { Notification } from "../../core/notification.ts"
import { isUnavailable, toErrorCode } from "../../database/failures.ts"
import { type NewDelivery, type StoreOptions, storeNotification } from "../../database/notifications.ts"
import { findChannels } from "../../notifications/rules.ts"
import type { NotificationOptions } from "./parts.ts"

/** Notifications that wait for the database. More are dropped, and that is logged. */
const MOST_PENDING = 1000

/** The most of one kind in an hour, because clients choose the names of models and the values of metadata. */
const MOST_PER_HOUR = 100
const HOUR_MS = 3_600_000

export interface NotifyOptions extends StoreOptions {
  /** The channels, in place of those of the rules. */
  readonly channels?: readonly string[]
  /** It is sent at once if the database is away. */
  readonly isUrgent?: boolean
  /** Called once: `true` if the database has it now, `false` if it was there already, or nobody wants it. */
  onStored?(isNew: boolean): void
}

interface Pending {
  readonly notification: Notification
  readonly options: NotifyOptions
  deliveries: readonly NewDelivery[]
  wasSent: boolean
}

interface OutboxOptions extends Pick<NotificationOptions, "settings" | "log" | "database"> {
  readonly now: () => number
  /** Sends a message without the database. */
  sendDirectly(notification: Notification, channel: string): Promise<NewDelivery>
  /** Called when there is something to store. */
  onPending(): void
  /** Called when messages were stored. */
  onStored(): void
}

export interface Outbox {
  notify(notification: Notification, options?: NotifyOptions): void
  /** Stores what waits, until the database fails. Never rejects. */
  flush(): Promise<void>
}

/** Creates the way of notifications into the database. Those that it cannot take wait in memory. */
export function createOutbox(options: OutboxOptions): Outbox {
  const { settings, log, database, now, sendDirectly, onPending, onStored } = options
  const pending: Pending[] = []
  const isTooMany = createHourlyLimit(log, now)
  let hasDropped = false

  async function store({ notification, options, deliveries }: Pending): Promise<"stored" | "away"> {
    try {
      const isNew = await storeNotification(database.query, notification, deliveries, options)
      if (isNew) onStored()
      options.onStored?.(isNew)
      return "stored"
    } catch (error) {
      // Before the schema is upgraded, the table does not exist yet.
      if (isUnavailable(error) || toErrorCode(error) === "42P01") return "away"
      const reason = error instanceof Error ? error.message : String(error)
      log("warn", `notifications: a notification of the kind ${notification.kind} could not be stored: ${reason}`)
      options.onStored?.(false)
      return "stored"
    }
  }

  let flushing: Promise<void> | undefined

  async function flush(): Promise<void> {
    for (let next = pending[0]; next !== undefined; next = pending[0]) {
      if ((await store(next)) === "away") return sendUrgent()
      pending.shift()
    }
    hasDropped = false
  }

  async function sendUrgent(): Promise<void> {
    for (const each of pending.filter(({ options, wasSent }) => options.isUrgent && !wasSent)) {
      each.wasSent = true
      const { notification, deliveries } = each
      each.deliveries = await Promise.all(deliveries.map(({ channel }) => sendDirectly(notification, channel)))
    }
  }

  return {
    notify(notification, options = {}) {
      const channels = options.channels ?? findChannels(notification, settings.notifications)
      if (channels.length === 0 || isTooMany(notification)) return options.onStored?.(false)
      if (pending.length >= MOST_PENDING) {
        if (!hasDropped)
          log("warn", `notifications: more than ${MOST_PENDING} wait for the database, so others are lost`)
        hasDropped = true
        return
      }
      pending.push({ notification, options, deliveries: channels.map((channel) => ({ channel })), wasSent: false })
      onPending()
    },
    flush() {
      flushing ??= flush().finally(() => {
        flushing = undefined
      })
      return flushing
    },
  }
}

/** Returns a function that counts notifications, and says whether there are too many of a kind, which it logs once an hour. */
function createHourlyLimit(
  log: NotificationOptions["log"],
  now: () => number,
): (notification: Notification) => boolean {
  const counts = new Map<string, { readonly hour: number; count: number }>()
  return ({ kind }) => {
    const hour = Math.floor(now() / HOUR_MS)
    const known = counts.get(kind)
    const present = known?.hour === hour ? known : { hour, count: 0 }
    present.count++
    counts.set(kind, present)
    if (present.count === MOST_PER_HOUR + 1)
      log(
        "warn",
        `notifications: more than ${MOST_PER_HOUR} of the kind ${kind} in an hour, so the others are left out`,
      )
    return present.count > MOST_PER_HOUR
  }
}
