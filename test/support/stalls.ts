import { readCpuMs } from "./cpu.ts"

const INTERVAL_MS = 5

interface Stalls {
  /**
   * The longest time in ms that this thread kept its event loop from turning: a timer was late, and the thread used as much
   * CPU time meanwhile. A busy machine makes timers late, too, but without the CPU time.
   */
  readonly longestMs: number
  reset(): void
  stop(): void
}

/** Watches the event loop of this thread, from its next turn on. */
export function watchStalls(): Stalls {
  let longestMs = 0
  let lastAt: number | undefined
  let lastCpuMs = 0
  const timer = setInterval(() => {
    const now = performance.now()
    if (lastAt !== undefined) {
      longestMs = Math.max(longestMs, Math.min(now - lastAt - INTERVAL_MS, readCpuMs() - lastCpuMs))
    }
    lastAt = performance.now()
    lastCpuMs = readCpuMs()
  }, INTERVAL_MS)
  return {
    get longestMs() {
      return longestMs
    },
    reset: () => {
      longestMs = 0
    },
    stop: () => clearInterval(timer),
  }
}
