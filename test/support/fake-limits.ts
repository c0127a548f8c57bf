import type { Estimate, LimitedRequest, LimitUsage, RequestLimits } from "../../src/core/limit-reservation.ts"

/** What the fake limits saw of one request. */
export interface SeenRequest {
  readonly request: LimitedRequest
  readonly extended: Estimate[]
  /** How the reservation ended, once per call: the usage of `settle`, or `released`. */
  readonly ends: (LimitUsage | "released")[]
}

/** Limits that apply to every request and do what the test says. */
export interface FakeLimits extends RequestLimits {
  readonly seen: readonly SeenRequest[]
  isEmpty: boolean
  /** Called for each request before it gets its reservation. It may throw, or wait. */
  decide: (request: LimitedRequest) => void | Promise<void>
  /** Whether a limit applies to the requests. */
  applies: boolean
}

export function createFakeLimits(): FakeLimits {
  const seen: SeenRequest[] = []
  const limits: FakeLimits = {
    seen,
    isEmpty: false,
    applies: true,
    decide: () => {},
    reserve(request) {
      const decided = limits.decide(request)
      if (decided instanceof Promise) return decided.then(() => toReservation(request))
      return toReservation(request)
    },
    expectedOutput: () => undefined,
  }

  function toReservation(request: LimitedRequest) {
    if (!limits.applies) return undefined
    const one: SeenRequest = { request, extended: [], ends: [] }
    seen.push(one)
    return {
      remaining: () => "team=12.34",
      extend: (used: Estimate) => void one.extended.push(used),
      settle: (usage: LimitUsage) => void one.ends.push(usage),
      release: () => void one.ends.push("released"),
    }
  }

  return limits
}
