import { type LimitError, toLimitExceeded } from "../core/limit-error.ts"
import { fromUnits } from "../core/limit-units.ts"
import type { LimitReservation } from "./reservation.ts"
import type { Denial, LimitState } from "./state.ts"

/** How long a rejection is remembered. */
const DENIAL_MS = 100

/** Remembers that a state has no room for `need`. */
export function deny(state: LimitState, need: number, reason: Denial["reason"], now: number, wallClock: number): void {
  const known = state.denial !== undefined && now < state.denial.until ? state.denial.need : Number.POSITIVE_INFINITY
  state.denial = { until: now + Math.min(DENIAL_MS, state.windowEnd - wallClock), need: Math.min(need, known), reason }
}

/** Returns the index of the first state that is known to have no room for a reservation; -1: there is none. */
export function findDenied({ states, needs }: LimitReservation, now: number): number {
  return states.findIndex((state, i) => {
    const { denial } = state
    return denial !== undefined && now < denial.until && needs[i]! >= denial.need && !state.fits(needs[i]!)
  })
}

/** Creates the error of a request that a state has no room for. */
export function toDenialError(
  state: LimitState,
  need: number,
  reason: Denial["reason"],
  wallClock: number,
): LimitError {
  const { limit, value, windowEnd } = state
  const toText = (units: number) => fromUnits(units, limit.measure)
  const resets = limit.measure !== "concurrency" && Number.isFinite(windowEnd)
  const isUsedUp = reason === "used_up"
  return toLimitExceeded({
    limit: limit.name,
    measure: limit.measure,
    window: limit.window,
    value,
    amount: toText(state.amount),
    used: toText(state.used),
    reserved: toText(state.leasedByOthers + state.inUse),
    wanted: toText(need),
    resetsAt: resets ? new Date(windowEnd).toISOString() : undefined,
    reason,
    retryAfterSeconds: isUsedUp ? (resets ? Math.max(1, Math.ceil((windowEnd - wallClock) / 1000)) : undefined) : 1,
  })
}

/** Returns why a state has no room for an amount, by its latest answer; undefined: it has. */
export function findReason(state: LimitState, need: number): Denial["reason"] | undefined {
  if (need <= state.amount - state.used - state.leasedByOthers - state.inUse) return undefined
  return state.limit.measure !== "concurrency" && state.used + need > state.amount ? "used_up" : "reserved"
}

/** Returns the index of the first state whose lease has no room for a reservation. */
export function firstShort({ states, needs }: LimitReservation): number {
  return Math.max(
    0,
    states.findIndex((state, i) => !state.fits(needs[i]!)),
  )
}
