import type { Limit } from "../core/limit.ts"
import { fromUnits } from "../core/limit-units.ts"
import { type LastUse, Rule } from "./rule.ts"
import type { LimitState } from "./state.ts"

/** Amounts that were not needed for this time are returned. */
const IDLE_MS = 3_000

export interface LimitStats {
  readonly limit: Limit
  /** The amount of the limit, as a plain decimal in the unit of its measure. */
  readonly amount: string
  /** How many requests it has rejected. */
  readonly rejections: number
  /** The used part of the amount, of the group that has used most; undefined: not known. */
  readonly usedRatio: number | undefined
  /** The groups that have used most in the present window, by the value of the limit's `per`. */
  readonly groups: readonly { readonly value: string; readonly used: string }[]
}

/** All limits with their states. Limits of one API key are found by it, because there may be some for each key. */
export class RuleSet {
  /** The limits without a key. */
  general: readonly Rule[] = []
  private rules = new Map<string, Rule>()
  private byKey = new Map<string, Rule[]>()

  ofKey(keyId: string): readonly Rule[] | undefined {
    return this.byKey.get(keyId)
  }

  *states(): Iterable<LimitState> {
    for (const { states } of this.rules.values()) yield* states.values()
  }

  countRejection(limitId: string): void {
    const rule = this.rules.get(limitId)
    if (rule !== undefined) rule.rejections++
  }

  /** Replaces all limits. Returns the states whose leases have changed by that. */
  replace(limits: readonly Limit[]): LimitState[] {
    const before = this.rules
    const changed: LimitState[] = []
    this.rules = new Map(limits.map((limit) => [limit.id, new Rule(limit)]))
    for (const [id, old] of before) {
      const rule = this.rules.get(id)
      if (rule !== undefined) changed.push(...rule.inherit(old))
      else for (const state of old.states.values()) state.isGone = true
    }
    const all = [...this.rules.values()]
    this.general = all.filter(({ limit }) => limit.key === undefined)
    this.byKey = new Map()
    for (const rule of all) {
      const { key } = rule.limit
      if (key === undefined) continue
      const others = this.byKey.get(key)
      if (others === undefined) this.byKey.set(key, [rule])
      else others.push(rule)
    }
    return changed
  }

  /**
   * Takes from each lease what was not needed recently, and forgets states that hold nothing. Returns the states whose
   * leases have changed.
   */
  review(now: number): LimitState[] {
    const changed: LimitState[] = []
    for (const rule of this.rules.values()) {
      for (const state of rule.states.values()) {
        if (now - state.reviewedAt < IDLE_MS) continue
        if (state.giveBack(state.takenSinceReview)) changed.push(state)
        else if (isForgettable(state)) rule.forget(state)
        state.reviewedAt = now
        state.takenSinceReview = 0
      }
    }
    return changed
  }

  /** @param mostValues how many groups of each limit are listed, those that have used most */
  stats(wallClock: number, mostValues: number): LimitStats[] {
    return [...this.rules.values()].map(({ limit, amount, states, remembered, rejections }) => {
      const uses = new Map(remembered)
      for (const state of states.values()) if (state.answeredIn > 0) uses.set(state.value, toUse(state))
      const present = [...uses.values()].filter(({ windowEnd }) => windowEnd > wallClock)
      let usedRatio: number | undefined
      for (const use of present) if (use.amount > 0) usedRatio = Math.max(usedRatio ?? 0, use.used / use.amount)
      const groups = present
        .sort((a, b) => b.used - a.used)
        .slice(0, mostValues)
        .map(({ value, used }) => ({ value, used: fromUnits(used, limit.measure) }))
      return { limit, amount: fromUnits(amount, limit.measure), rejections, usedRatio, groups }
    })
  }
}

/** Returns what a group has used, or for `concurrency`, how many of its requests run now. */
function toUse({ limit, value, amount, windowEnd, used, inUse, leasedByOthers, idleOfOthers }: LimitState): LastUse {
  const running = inUse + Math.max(0, leasedByOthers - idleOfOthers)
  return { value, amount, windowEnd, used: limit.measure === "concurrency" ? running : used }
}

function isForgettable({ granted, inUse, references, takenSinceReview, syncAt, isRefilling }: LimitState): boolean {
  const isIdle = granted === 0 && inUse === 0 && references === 0 && takenSinceReview === 0
  return isIdle && syncAt === Number.POSITIVE_INFINITY && !isRefilling
}
