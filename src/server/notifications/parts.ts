import type { LogRecord } from "../../core/log-record.ts"
import type { Notification } from "../../core/notification.ts"
import type { Database } from "../../database/_database.ts"
import type { LedgerStats } from "../../database/ledger/ledger.ts"
import type { PriceBook } from "../../pricing/price-book.ts"
import type { ServerOptions } from "../options.ts"

/** Messages that were sent or given up by this process, by channel, and those that wait in the database. */
export interface NotificationStats {
  readonly channels: readonly { readonly channel: string; readonly sent: number; readonly failed: number }[]
  readonly waiting: number
}

/** The parts that the notifications of a process watch. */
export interface Watched {
  /** The rows of this gateway. */
  stats?(): LedgerStats
  readonly prices?: PriceBook
}

/** Tells operators what happens, by the channels of the settings. Nothing here throws or makes a caller wait. */
export interface Notifications {
  /** Stores a notification as soon as the database takes it. */
  notify(notification: Notification): void
  /** Looks at a published row. */
  onRecord(record: LogRecord): void
  /** Begins to watch parts that are open now. */
  watch(watched: Watched): void
  stats(): NotificationStats
  close(): Promise<void>
}

export interface NotificationOptions extends Pick<ServerOptions, "settings" | "log"> {
  readonly database: Database
  /** A worker finds and stores notifications, and its primary process sends them. */
  readonly isWorker: boolean
  readonly now?: () => number
  readonly timing?: Partial<NotificationTiming>
}

export interface NotificationTiming {
  /** How often the database is asked for messages that are due. */
  readonly pollMs: number
  /** The time for which a message that is being sent belongs to its gateway. */
  readonly leaseMs: number
  /** The longest time of one attempt. */
  readonly attemptMs: number
  /** The time until the second attempt, which doubles with each further one. */
  readonly firstDelayMs: number
  /** The time after which a message is given up. */
  readonly giveUpMs: number
  /** How often the rows of the gateway are looked at. */
  readonly rowsMs: number
  /** How long rows must have waited. */
  readonly rowsWaitMs: number
  /** How often anomalies, digests and prices are looked at. */
  readonly scheduleMs: number
}
