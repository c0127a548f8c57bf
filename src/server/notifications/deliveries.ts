import type { Notification } from "../../core/notification.ts"
import {
  type AttemptResult,
  claimDelivery,
  countWaiting,
  failAbandoned,
  listDueChannels,
  settleDelivery,
} from "../../database/deliveries.ts"
import { type NewDelivery, pruneNotifications } from "../../database/notifications.ts"
import type { NotificationOptions, NotificationStats, NotificationTiming } from "./parts.ts"
import { createSender } from "./sender.ts"

const HOUSEKEEPING_MS = 3_600_000
const KEEP_DAYS = 90
/** The time that running attempts have at the end to finish, so that they need not be repeated. */
const CLOSE_MS = 3_000

interface Deliveries {
  /** Sends what is due. Rejects if the database is away. */
  work(): Promise<void>
  /** Sends a message without the database, and returns the result. */
  sendDirectly(notification: Notification, channel: string): Promise<NewDelivery>
  stats(): NotificationStats
  /** Ends what is being sent, after what else may send. */
  close(others: Promise<unknown>): Promise<void>
}

type DeliveryOptions = Pick<NotificationOptions, "settings" | "log" | "database"> & {
  readonly now: () => number
  readonly timing: NotificationTiming
}

/** Creates the sender of stored messages: one at a time for each channel, so that a slow receiver delays no other one. */
export function createDeliveries({ settings, log, database, now, timing }: DeliveryOptions): Deliveries {
  const { channels } = settings.notifications
  const closing = new AbortController()
  const sender = createSender({ settings, now, timing, signal: closing.signal })
  const running = new Map<string, Promise<void>>()
  const unsettled = new Map<string, AttemptResult>()
  const counts = new Map(Object.keys(channels).map((channel) => [channel, { channel, sent: 0, failed: 0 }]))
  let waiting = 0
  let keptAt = Number.NEGATIVE_INFINITY

  async function settle(id: string, result: AttemptResult): Promise<void> {
    unsettled.set(id, result)
    await settleDelivery(database, id, result)
    unsettled.delete(id)
  }

  async function drain(channel: string): Promise<void> {
    while (!closing.signal.aborted) {
      const claimed = await claimDelivery(database, { channel, leaseMs: timing.leaseMs })
      if (claimed === undefined) return
      const result = await sender.attempt(claimed)
      const count = counts.get(channel)!
      if (result.state === "sent") count.sent++
      if (result.state === "failed") {
        count.failed++
        log("warn", `notifications: ${claimed.notification.kind} was not delivered to ${channel}: ${result.error}`)
      }
      await settle(claimed.id, result)
    }
  }

  async function keepHouse(): Promise<void> {
    if (performance.now() < keptAt + HOUSEKEEPING_MS) return
    keptAt = performance.now()
    await failAbandoned(database, Object.keys(channels))
    await pruneNotifications(database, KEEP_DAYS)
  }

  return {
    async work() {
      for (const [id, result] of unsettled) await settle(id, result)
      for (const channel of await listDueChannels(database)) {
        if (running.has(channel) || !Object.hasOwn(channels, channel)) continue
        // A failure is one of the database, which the next round meets too.
        const work = drain(channel).catch(() => {})
        running.set(channel, work)
        void work.finally(() => running.delete(channel))
      }
      waiting = await countWaiting(database)
      await keepHouse()
    },
    sendDirectly: sender.sendDirectly,
    stats: () => ({ channels: [...counts.values()], waiting }),
    async close(others) {
      const timer = setTimeout(() => closing.abort(), CLOSE_MS)
      await others
      await Promise.all(running.values())
      clearTimeout(timer)
      closing.abort()
    },
  }
}
