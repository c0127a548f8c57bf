import { GATEWAY_ACTOR } from "../../core/actor.ts"
import type { Notification } from "../../core/notification.ts"
import type { DigestTime } from "../../core/notification-settings.ts"
import type { Database } from "../../database/_database.ts"
import { claimRun, finishRun } from "../../database/notification-runs.ts"
import { isWanted } from "../../notifications/rules.ts"
import type { NotifyOptions, Outbox } from "./outbox.ts"
import type { NotificationOptions } from "./parts.ts"

const HOUR_MS = 3_600_000
/** The rows of the last minutes of an hour have reached the database by then. */
const AFTER_HOUR_MS = 5 * 60_000

interface ScheduleOptions extends Pick<NotificationOptions, "settings"> {
  readonly database: Database
  readonly now: () => number
}

/**
 * Creates the work that is due at certain times: anomalies after each hour, and the digests of the rules. One gateway does each
 * of them. After a downtime, only the last one is made up for.
 */
export function createSchedule(options: ScheduleOptions, { notify }: Pick<Outbox, "notify">): () => Promise<void> {
  const { settings, database, now } = options
  const { notifications } = settings
  const timeZone = notifications.timezone
  const context = { settings, database, now, log: () => {}, actor: GATEWAY_ACTOR }

  /** Notifies, and finishes the run when the database has all of them. Nobody waits for that: it may be away. */
  function tell(name: string, found: readonly Notification[], options: NotifyOptions = {}): void {
    const stored = found.map((each) => new Promise((resolve) => notify(each, { ...options, onStored: resolve })))
    void Promise.all(stored)
      .then(() => finishRun(database, name))
      .catch(() => {})
  }

  async function findAnomalies(): Promise<void> {
    const due = Math.floor((now() - AFTER_HOUR_MS) / HOUR_MS) * HOUR_MS + AFTER_HOUR_MS
    if (!(await claimRun(database, "anomalies", new Date(due)))) return
    const operation = await import("../../operations/notifications/anomalies.ts")
    tell("anomalies", await operation.findAnomalies(context, { now: now(), timeZone }))
  }

  async function sendDigest(time: DigestTime, channels: readonly string[]): Promise<void> {
    const { findLastDue } = await import("../../operations/notifications/digest-time.ts")
    const name = `digest every ${time.every} at ${time.at}`
    const due = findLastDue(time, { now: now(), tz: timeZone })
    if (!(await claimRun(database, name, new Date(due)))) return
    const { buildDigest } = await import("../../operations/notifications/digest.ts")
    const digest = await buildDigest(context, { every: time.every, now: due, timeZone })
    const subject = `${digest.subject} at ${time.at}`
    tell(name, [{ ...digest, subject }], { channels })
  }

  return async () => {
    if (isWanted("anomaly", notifications)) await findAnomalies()
    for (const { time, channels } of listDigests(options)) await sendDigest(time, channels)
  }
}

/** Returns each time of a digest once, with the channels of all its rules. */
function listDigests({ settings }: ScheduleOptions) {
  const digests = new Map<string, { readonly time: DigestTime; readonly channels: Set<string> }>()
  for (const { digest: time, to } of settings.notifications.rules ?? []) {
    if (time === undefined) continue
    const name = `${time.every} ${time.at}`
    const known = digests.get(name) ?? { time, channels: new Set() }
    for (const channel of to) known.channels.add(channel)
    digests.set(name, known)
  }
  return [...digests.values()].map(({ time, channels }) => ({ time, channels: [...channels] }))
}
