import type { Log } from "../_store.ts"
import type { Failure } from "./failure.ts"

export interface Backoff {
  readonly minMs: number
  readonly maxMs: number
  /** Between attempts while somebody has to mend something. */
  readonly lastingMs: number
}

export interface FailureState {
  /** Why uploads fail now; undefined: they do not. */
  readonly text: string | undefined
  /** Uploads that worked since the start. */
  readonly successes: number
  /** @param attempts of the same object that failed before */
  failed(failure: Failure, attempts: number): void
  worked(): void
  /** Until the next attempt may be made. Ends early when an upload works, or by `hurry`. */
  pause(attempts: number): Promise<void>
  hurry(): void
}

/** The same trouble coming and going is said again after so long. */
const REPEAT_MS = 60_000

/** One trouble of all uploads together: said once per kind and once when it is over; whoever waits is woken then. */
export function createFailureState(log: Log, backoff: Backoff, countWaiting: () => number): FailureState {
  let current: Failure | undefined
  let since = 0
  let successes = 0
  let isSaid = false
  const saidAt = new Map<string, number>()
  const sleepers = new Set<() => void>()

  function wake(): void {
    for (const end of [...sleepers]) end()
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
      // A broken connection now and then is no news: the next attempt has another one.
      if (!failure.isLasting && attempts === 0) return
      if (now - (saidAt.get(failure.kind) ?? -REPEAT_MS) < REPEAT_MS) return
      saidAt.set(failure.kind, now)
      isSaid = true
      log("warn", `bodies cannot be stored: ${failure.text}; ${countWaiting()} wait on disk, traffic goes on`)
    },
    worked() {
      successes++
      if (current === undefined) return
      current = undefined
      const seconds = Math.round((performance.now() - since) / 1000)
      if (isSaid) log("info", `bodies are stored again after ${seconds} s: ${countWaiting()} wait`)
      isSaid = false
      wake()
    },
    pause(attempts) {
      const most = current?.isLasting ? backoff.lastingMs : backoff.maxMs
      const ms = Math.min(backoff.minMs * 2 ** Math.min(attempts, 20), most) * (0.5 + Math.random() / 2)
      return new Promise((resolve) => {
        const end = () => {
          clearTimeout(alarm)
          sleepers.delete(end)
          resolve()
        }
        const alarm = setTimeout(end, ms)
        sleepers.add(end)
      })
    },
    hurry: wake,
  }
}
