import { ApiError } from "./problem.ts"

interface Limits {
  /** How many attempts may fail within the window: from one address, and from all together. */
  readonly perAddress: number
  readonly total: number
  readonly windowMs: number
  readonly now: () => number
}

export interface AttemptLimit {
  /** @throws ApiError `too_many_attempts` if too many attempts have failed */
  check(address: string | null): void
  /** Counts an attempt that failed. */
  fail(address: string | null): void
}

/** Limits how often somebody may try to sign in. Remembers one window, and so at most `total` addresses. */
export function createAttemptLimit({ perAddress, total, windowMs, now }: Limits): AttemptLimit {
  const failed = new Map<string, number>()
  let sum = 0
  let endsAt = 0

  function renew(): void {
    if (now() < endsAt) return
    failed.clear()
    sum = 0
    endsAt = now() + windowMs
  }

  return {
    check(address) {
      renew()
      if (sum < total && (failed.get(address ?? "") ?? 0) < perAddress) return
      const seconds = Math.ceil((endsAt - now()) / 1000)
      throw new ApiError("too_many_attempts", `too many attempts to sign in have failed: try again in ${seconds} s`, {
        "Retry-After": String(seconds),
      })
    },
    fail(address) {
      renew()
      sum++
      failed.set(address ?? "", (failed.get(address ?? "") ?? 0) + 1)
    },
  }
}
