import { hostname } from "node:os"
import { setTimeout as delay } from "node:timers/promises"
import type { Settings } from "../../config/settings.ts"
import { isUnavailable } from "../../database/failures.ts"
import { createDeliveries } from "./deliveries.ts"
import { createFirstUses } from "./first-uses.ts"
import { createOutbox } from "./outbox.ts"
import type { NotificationOptions, Notifications, NotificationTiming, Watched } from "./parts.ts"
import { createPriceCheck } from "./prices.ts"
import { repeat } from "./repeat.ts"
import { createRowCheck } from "./rows.ts"
import { createSchedule } from "./schedule.ts"

const TIMING: NotificationTiming = {
  pollMs: 5_000,
  leaseMs: 90_000,
  attemptMs: 20_000,
  firstDelayMs: 10_000,
  giveUpMs: 24 * 3_600_000,
  rowsMs: 5_000,
  rowsWaitMs: 60_000,
  scheduleMs: 30_000,
}

const CLOSE_MS = 6_000

/** Starts to look for notifications, to store them, and to send them unless this process is a worker. */
export function startNotifications(options: NotificationOptions): Notifications {
  const { settings, database, log, isWorker, now = Date.now } = options
  const timing = { ...TIMING, ...options.timing }
  const startedAt = now()
  const onError = createErrorLog(log)
  const deliveries = createDeliveries({ settings, log, database, now, timing })
  const outbox = createOutbox({
    ...{ settings, log, database, now },
    sendDirectly: deliveries.sendDirectly,
    onPending: () => storing.soon(),
    onStored: () => sending?.soon(),
  })
  const firstUses = createFirstUses({ settings, database }, outbox)
  const storing = repeat(
    timing.pollMs,
    async () => {
      // Urgent notifications do not need the database, which may be why the look-ups failed.
      await firstUses.work().finally(outbox.flush)
    },
    onError,
  )
  const sending = isWorker ? undefined : repeat(timing.pollMs, deliveries.work, onError)
  const schedule = createSchedule({ settings, database, now }, outbox)
  const parts = [storing, ...(sending ? [sending, repeat(timing.scheduleMs, schedule, onError)] : [])]

  function watch({ stats, prices }: Watched): void {
    if (stats !== undefined) {
      const check = createRowCheck({ settings, gateway: toName(settings), now, timing, stats }, outbox)
      parts.push(repeat(timing.rowsMs, async () => check(), onError))
    }
    if (prices !== undefined) {
      parts.push(
        repeat(
          timing.scheduleMs,
          createPriceCheck({ settings, database, prices, since: startedAt, now }, outbox),
          onError,
        ),
      )
    }
  }

  return {
    notify: (notification) => outbox.notify(notification),
    onRecord: firstUses.onRecord,
    watch,
    stats: deliveries.stats,
    async close() {
      const end = async () => {
        await deliveries.close(Promise.all(parts.map((part) => part.close())))
        await firstUses.work().catch(() => {})
        await outbox.flush()
      }
      // A database that does not answer must not hold up the end of the gateway.
      await Promise.race([end(), delay(CLOSE_MS, undefined, { ref: false })])
    },
  }
}

function toName({ server }: Settings): string {
  return server.port === 0 ? `${hostname()}, process ${process.pid}` : `${hostname()}:${server.port}`
}

/** The ledger says that the database is away, and a database without the table is waiting for `migrate`. */
function createErrorLog(log: NotificationOptions["log"]): (error: unknown) => void {
  let logged = ""
  return (error) => {
    const reason = error instanceof Error ? error.message : String(error)
    if (isUnavailable(error) || reason === logged) return
    logged = reason
    log("warn", `notifications: ${reason}. It is tried again`)
  }
}
