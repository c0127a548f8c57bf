import { describeFailure, isSchemaMismatch } from "./data-errors.ts"

const REPEAT_INTERVAL_MS = 30_000

export type Log = (level: "info" | "warn" | "error", line: string) => void

interface Outage {
  /** A batch could not be written, for a reason that may pass. */
  failed(error: unknown): void
  /** A batch was written. */
  wrote(): void
}

/**
 * Logs when the database stops taking rows, every 30 s while it does not, when it takes them again, and when no row
 * waits any more.
 */
export function createOutage(log: Log, now: () => number, countWaiting: () => number): Outage {
  let since: number | undefined
  let loggedAt = 0
  let hasBacklog = false

  function failed(error: unknown): void {
    if (since !== undefined && now() - loggedAt < REPEAT_INTERVAL_MS) return
    const isFirst = since === undefined
    since ??= now()
    loggedAt = now()
    const state = isFirst
      ? "the database does not take rows"
      : `the database has not taken rows for ${toSeconds(now() - since)}`
    const advice = isSchemaMismatch(error)
      ? "; its tables are not those of this version: run `majordomo-gateway migrate`"
      : ""
    log(
      "warn",
      `${state} (${describeFailure(error)}): ${toWaiting(countWaiting())}, requests are still served${advice}`,
    )
  }

  function wrote(): void {
    if (since !== undefined) {
      log("info", `the database takes rows again after ${toSeconds(now() - since)}: ${toWaiting(countWaiting())}`)
      since = undefined
      hasBacklog = true
    }
    if (hasBacklog && countWaiting() === 0) {
      log("info", "all rows that waited are in the database")
      hasBacklog = false
    }
  }

  return { failed, wrote }
}

function toSeconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}

function toWaiting(count: number): string {
  return count === 1 ? "1 row waits" : `${count} rows wait`
}
