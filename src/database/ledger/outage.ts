import { toErrorCode } from "../failures.ts"
import { describeFailure, isSchemaMismatch } from "./data-errors.ts"

const REPEAT_INTERVAL_MS = 30_000
const LOCK_TIMEOUT = "55P03"
const LOCK_ADVICE = "; end that transaction, for example with pg_terminate_backend(PROCESS)"
const SCHEMA_ADVICE = "; its tables are not those of this version: run `majordomo-gateway migrate`"

export type Log = (level: "info" | "warn" | "error", line: string) => void

interface Outage {
  /** A batch could not be written, for a reason that may pass. */
  failed(error: unknown): void
  /** A batch waits for the locks of the sessions that the text names. */
  blocked(by: string): void
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
  /** The reason that was logged last, if it was a lock. */
  let blockedBy: string | undefined

  function failed(error: unknown): void {
    if (since !== undefined && now() - loggedAt < REPEAT_INTERVAL_MS) return
    const reason = describeFailure(error)
    if (blockedBy !== undefined && toErrorCode(error) === LOCK_TIMEOUT) report(blockedBy, LOCK_ADVICE)
    else report(reason, isSchemaMismatch(error) ? SCHEMA_ADVICE : "")
  }

  function blocked(by: string): void {
    const isKnown = blockedBy !== undefined && now() - loggedAt < REPEAT_INTERVAL_MS
    blockedBy = `a lock is held by ${by}`
    if (!isKnown) report(blockedBy, LOCK_ADVICE)
  }

  function report(reason: string, advice: string): void {
    const state =
      since === undefined
        ? "the database does not take rows"
        : `the database has not taken rows for ${toSeconds(now() - since)}`
    since ??= now()
    loggedAt = now()
    log("warn", `${state} (${reason}): ${toWaiting(countWaiting())}, requests are still served${advice}`)
  }

  function wrote(): void {
    blockedBy = undefined
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

  return { failed, blocked, wrote }
}

function toSeconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}

function toWaiting(count: number): string {
  return count === 1 ? "1 row waits" : `${count} rows wait`
}
