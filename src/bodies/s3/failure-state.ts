import type { Log } from "../_store.ts"
import type { Failure } from "./failure.ts"

export interface Backoff {
  readonly minMs: number
  readonly maxMs: number
  /** Longest pause while somebody has to fix something. */
  readonly lastingMs: number
}

export interface FailureState {
  /** Why uploads fail now; `undefined` when they do not. */
  readonly text: string | undefined
  /** Uploads that succeeded since the start. */
  readonly successes: number
  /** @param attempts earlier attempts of the same object that failed */
  failed(failure: Failure, attempts: number): void
  succeeded(): void
  /** Waits until the next attempt may be made. Ends early when an upload succeeds, or by `hurry`. */
  pause(attempts: number): Promise<void>
  hurry(): void
}

/** A failure that comes and goes is logged again after this time. */
const REPEAT_INTERVAL_MS = 60_000

/**
 * Tracks one failure for all uploads together. It is logged once per kind, and once when it is over; all waiting uploads
 * are woken then.
 */
export function createFailureState(log: Log, backoff: Backoff, countWaiting: () => number): FailureState {
  let current: Failure | undefined
  let since = 0
  let successes = 0
  let isLogged = false
  const loggedAt = new Map<string, number>()
  const pauses = new Set<() => void>()

  function wake(): void {
    for (const end of [...pauses]) end()
  }

  return {
    get text() {
      return current?.text
    },
    get successes() {
      return successes
    },
    failed(failure, attempts) {
      const now = performance.now()
      if (current === undefined) since = now
      current = failure
      // A connection that breaks now and then is not worth a log line: the next attempt opens another one.
      if (!failure.isLasting && attempts === 0) return
      if (now - (loggedAt.get(failure.kind) ?? -REPEAT_INTERVAL_MS) < REPEAT_INTERVAL_MS) return
      loggedAt.set(failure.kind, now)
      isLogged = true
      log(
        "warn",
        `bodies cannot be stored: ${failure.text}; ${countWaiting()} wait on the disk, requests are still served`,
      )
    },
    succeeded() {
      successes++
      if (current === undefined) return
      current = undefined
      const seconds = Math.round((performance.now() - since) / 1000)
      if (isLogged) log("info", `bodies are stored again after ${seconds} s: ${countWaiting()} wait`)
      isLogged = false
      wake()
    },
    pause(attempts) {
      const maxMs = current?.isLasting ? backoff.lastingMs : backoff.maxMs
      const ms = Math.min(backoff.minMs * 2 ** Math.min(attempts, 20), maxMs) * (0.5 + Math.random() / 2)
      return new Promise((resolve) => {
        const end = () => {
          clearTimeout(timer)
          pauses.delete(end)
          resolve()
        }
        const timer = setTimeout(end, ms)
        pauses.add(end)
      })
    },
    hurry: wake,
  }
}
