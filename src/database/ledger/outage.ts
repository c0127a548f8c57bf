import { describeFailure, isSchemaMismatch } from "./data-errors.ts"

const REPEAT_MS = 30_000

export type Log = (level: "info" | "warn" | "error", line: string) => void

export interface Outage {
  /** A batch could not be written, for a reason that may pass. */
  failed(error: unknown): void
  /** A batch was written. */
  wrote(): void
}

/** Says when the database goes away, every 30 s that it is away, when it is back, and when nothing waits any more. */
export function createOutage(log: Log, now: () => number, countWaiting: () => number): Outage {
  let since: number | undefined
  let saidAt = 0
  let hasBacklog = false

  function failed(error: unknown): void {
    if (since !== undefined && now() - saidAt < REPEAT_MS) return
    const first = since === undefined
    since ??= now()
    saidAt = now()
    const state = first
      ? "the database does not take rows"
      : `the database has not taken rows for ${seconds(now() - since)}`
    const advice = isSchemaMismatch(error)
      ? "; its tables are not those of this version: run `majordomo-gateway migrate`"
      : ""
    log("warn", `${state} (${describeFailure(error)}): ${rows(countWaiting())}, traffic goes on${advice}`)
  }

  function wrote(): void {
    if (since !== undefined) {
      log("info", `the database takes rows again after ${seconds(now() - since)}: ${rows(countWaiting())}`)
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

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}

function rows(count: number): string {
  return count === 1 ? "1 row waits" : `${count} rows wait`
}
