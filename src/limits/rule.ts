import { type Limit, NO_VALUE } from "../core/limit.ts"
import { LimitFilter } from "../core/limit-filter.ts"
import type { Estimate, LimitedRequest } from "../core/limit-reservation.ts"
import { toUnits } from "../core/limit-units.ts"
import { LimitState } from "./state.ts"

/** The most groups of a limit that are remembered. */
const MAX_REMEMBERED = 20

/** One limit, prepared for being compared with requests, and its states. */
export class Rule {
  readonly limit: Limit
  readonly amount: number
  readonly states = new Map<string, LimitState>()
  /** The used amounts of groups whose states were forgotten, of those that had used most. */
  readonly remembered = new Map<string, LastUse>()
  private readonly filter: LimitFilter
  rejections = 0

  constructor(limit: Limit) {
    this.limit = limit
    this.amount = toUnits(limit.amount, limit.measure, "down")
    this.filter = new LimitFilter(limit)
  }

  /** @param model the model that is expected to answer */
  matches(request: LimitedRequest, model: string): boolean {
    return this.filter.matches(request, model)
  }

  /**
   * Takes over the states of the same limit before it was changed. Returns those whose leases have changed by that: a lease
   * in another measure, or for other groups, has become worthless, and of a changed limit nothing idle is kept.
   */
  inherit(old: Rule): LimitState[] {
    this.rejections = old.rejections
    if (isSameUse(old.limit, this.limit)) for (const [value, use] of old.remembered) this.remembered.set(value, use)
    const isSame = old.limit.measure === this.limit.measure && old.limit.per === this.limit.per
    const changed: LimitState[] = []
    for (const [value, state] of old.states) {
      const next = isSame ? state : new LimitState(this.limit, value, this.amount)
      this.states.set(value, next)
      if (isSame && isSameUse(old.limit, this.limit)) {
        next.limit = this.limit
        continue
      }
      next.limit = this.limit
      next.amount = this.amount
      next.forget()
      state.isGone = !isSame
      changed.push(next)
    }
    return changed
  }

  /** Forgets the state of a group that no request uses, and remembers what it had used. */
  forget({ value, used, amount, windowEnd }: LimitState): void {
    this.states.delete(value)
    if (used === 0 || this.limit.measure === "concurrency") return
    this.remembered.set(value, { value, used, amount, windowEnd })
    if (this.remembered.size <= MAX_REMEMBERED) return
    const least = [...this.remembered.values()].reduce((a, b) => (a.used <= b.used ? a : b))
    this.remembered.delete(least.value)
  }

  /** Returns the state of the request's group, which is created if it is new. */
  stateOf(request: LimitedRequest, model: string, now: number): LimitState {
    const value = this.filter.groupOf(request, model) ?? NO_VALUE
    const known = this.states.get(value)
    if (known !== undefined) return known
    const state = new LimitState(this.limit, value, this.amount)
    state.reviewedAt = now
    this.states.set(value, state)
    return state
  }
}

/** The amount that a group had used when its state was forgotten. */
export interface LastUse {
  readonly value: string
  readonly used: number
  readonly amount: number
  /** Milliseconds since the epoch. */
  readonly windowEnd: number
}

/** Whether a change of a limit leaves what it has used and what is free as it was. */
function isSameUse(before: Limit, after: Limit): boolean {
  const toText = ({ amount, window, tz, key, provider, model, where, action }: Limit) =>
    JSON.stringify([amount, window, tz, key, provider, model, where, action])
  return toText(before) === toText(after)
}

/** What of a request a limit counts. */
export interface Countables {
  readonly isFree: boolean
  readonly isSubscribed: boolean
  readonly opensSession?: boolean
}

/**
 * Returns how much of the limit something uses, in units; undefined if its price is not known. An operation that is free
 * counts as a request only.
 */
export function toNeed(
  limit: Limit,
  counted: Countables,
  { inputTokens, outputTokens, cost }: Estimate,
): number | undefined {
  if (limit.measure === "concurrency") return counted.opensSession ? 0 : 1
  if (limit.measure === "requests") return 1
  if (counted.isFree) return 0
  if (limit.measure === "cost") return counted.isSubscribed ? 0 : cost
  if (limit.measure === "input_tokens") return inputTokens
  return limit.measure === "output_tokens" ? outputTokens : inputTokens + outputTokens
}

/** Whether a limit needs an estimate of the request to know what it uses. */
export function needsEstimate({ measure }: Limit, counted: Countables): boolean {
  if (measure === "requests" || measure === "concurrency" || counted.isFree) return false
  return measure !== "cost" || !counted.isSubscribed
}
