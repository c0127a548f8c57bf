import type { Limit } from "../core/limit.ts"
import { fromUnits } from "../core/limit-units.ts"
import type { LimitState } from "./state.ts"

/** A limit has used a percentage of its amount at which people want to be told. */
export interface Threshold {
  readonly limit: Limit
  readonly value: string
  /** The highest percentage of `notify_at` that was passed. */
  readonly percent: number
  /** Plain decimals. */
  readonly used: string
  readonly amount: string
  /** Milliseconds since the epoch. */
  readonly windowStart: number
  readonly windowEnd: number | undefined
}

/** Returns the highest percentage that a state has passed and that was not returned before in its window. */
export function findCrossed(state: LimitState): Threshold | undefined {
  const { limit, value, used, amount, windowStart, windowEnd } = state
  if (limit.notifyAt.length === 0 || used === 0 || limit.measure === "concurrency") return undefined
  const percent = limit.notifyAt.findLast((each) => used * 100 >= amount * each)
  if (percent === undefined || percent <= state.announced) return undefined
  state.announced = percent
  return {
    limit,
    value,
    percent,
    used: fromUnits(used, limit.measure),
    amount: fromUnits(amount, limit.measure),
    windowStart,
    windowEnd: Number.isFinite(windowEnd) ? windowEnd : undefined,
  }
}
