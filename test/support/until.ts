import { vi } from "vitest"

/** No step of a test takes this long unless it hangs, however busy the machine is. */
export const HANG_MS = 120_000

/** Repeats `attempt` until it does not throw and returns its result. */
export function until<T>(attempt: () => T | Promise<T>, interval = 50): Promise<T> {
  return vi.waitFor(attempt, { timeout: HANG_MS, interval })
}

/** Repeats `read` until its result is truthy and returns it. */
export function untilFound<T>(read: () => T | false | undefined): Promise<T> {
  return vi.waitUntil(read, { timeout: HANG_MS }) as Promise<T>
}
