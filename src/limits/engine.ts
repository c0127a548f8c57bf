import type { Limit } from "../core/limit.ts"
import { toUnpricedModel } from "../core/limit-error.ts"
import type { Estimate, LimitedRequest, LimitUsage, RequestLimits, Reservation } from "../core/limit-reservation.ts"
import { IdMap } from "../kit/id-map.ts"
import { createExpectations } from "./expectations.ts"
import { Lessee, type LesseeOptions } from "./lessee.ts"
import { LimitReservation } from "./reservation.ts"
import { Rounds, type RoundsOptions } from "./rounds.ts"
import { needsEstimate, type Rule, toNeed } from "./rule.ts"
import { type LimitStats, RuleSet } from "./rule-set.ts"
import type { LimitState } from "./state.ts"
import { findCrossed, type Threshold } from "./threshold.ts"

/** More rows than these are not followed on their way to the database. There are that many only while it does not answer. */
const MAX_PENDING = 100_000
const RENEW_MS = 60_000
const REVIEW_MS = 1_000
/** The most groups of each limit that its statistics have. */
const MAX_GROUPS = 20

export interface LimitsOptions extends LesseeOptions, Pick<RoundsOptions, "whenUnavailable" | "after" | "warn"> {
  /** A limit has passed a percentage of `notify_at`, as far as this gateway knows. */
  onThreshold(threshold: Threshold): void
}

/** The limits of a gateway. */
export interface Limits extends RequestLimits {
  readonly gatewayId: string
  /** Replaces all limits, after they have changed. */
  replace(limits: readonly Limit[]): void
  /** Rows that are in the database, or never will be: their amounts leave the leases. */
  committed(ids: Iterable<string>): void
  /** Of the requests that were settled before, none has a row that waits any more. */
  committedAll(): void
  /** Tells how long an answer was, which is learned from. */
  learnOutput(keyId: string, model: string, tokens: number): void
  /** Another gateway has no room: returns what this one does not need. */
  returnIdle(): void
  /** Does what is due. To be called several times a second. */
  tick(): void
  stats(): readonly LimitStats[]
  /** Returns all leases, except for rows that are not in the database yet. */
  close(): Promise<void>
}

export function createLimits(options: LimitsOptions): Limits {
  return new Engine(options)
}

class Engine implements Limits {
  isEmpty = true
  readonly wallClock: () => number
  private readonly options: LimitsOptions
  private readonly rules = new RuleSet()
  private readonly expectations = createExpectations()
  private readonly pending = new IdMap<LimitReservation>()
  private readonly lessee: Lessee
  private readonly rounds: Rounds
  private renewAt: number
  private reviewAt = 0
  /** The estimates of the request that is being checked. */
  private expected: Estimate | undefined
  private maximum: Estimate | undefined
  /** The limits that apply to it, which are the first `applying` of these, and what it needs of them. */
  private readonly states: LimitState[] = []
  private readonly needs: number[] = []
  private applying = 0

  constructor(options: LimitsOptions) {
    this.options = options
    this.wallClock = options.wallClock
    this.renewAt = options.now() + RENEW_MS
    this.lessee = new Lessee(options)
    this.rounds = new Rounds({
      ...options,
      lessee: this.lessee,
      allStates: () => this.rules.states(),
      onAnswer: (state) => this.announce(state),
      onRejected: ({ id }) => this.rules.countRejection(id),
    })
  }

  get gatewayId(): string {
    return this.lessee.gatewayId
  }

  reserve(request: LimitedRequest): Reservation | undefined | Promise<Reservation> {
    const now = this.options.now()
    const model = this.expectations.modelOf(request.provider, request.requestedModel)
    const { general } = this.rules
    this.expected = undefined
    this.maximum = undefined
    this.applying = 0
    for (const rule of general) if (rule.matches(request, model)) this.include(rule, request, model, now)
    const own = this.rules.ofKey(request.keyId)
    if (own !== undefined) {
      for (const rule of own) if (rule.matches(request, model)) this.include(rule, request, model, now)
    }
    const { applying } = this
    if (applying === 0) return undefined
    const reservation = new LimitReservation(
      this,
      request,
      this.states.slice(0, applying),
      this.needs.slice(0, applying),
    )
    if (!this.lessee.isTrusted(now)) for (const state of reservation.states) state.giveBack(0) // it has expired
    if (!reservation.fits()) return this.rounds.wait(reservation)
    reservation.take()
    for (let i = 0; i < reservation.states.length; i++) {
      const state = reservation.states[i]!
      if (state.needsRefill(reservation.needs[i]!, now)) this.rounds.refill(state)
    }
    return reservation
  }

  expectedOutput(keyId: string, model: string): number | undefined {
    return this.expectations.outputOf(keyId, model)
  }

  learnOutput(keyId: string, model: string, tokens: number): void {
    this.expectations.learnOutput(keyId, model, tokens)
  }

  replace(limits: readonly Limit[]): void {
    for (const state of this.rules.replace(limits)) this.rounds.requestReturn(state)
    this.isEmpty = limits.length === 0
    this.rounds.serveWaiters()
    this.rounds.start()
  }

  committed(ids: Iterable<string>): void {
    if (this.pending.size === 0) return
    const now = this.options.now()
    for (const id of ids) {
      this.pending.take(id)?.commit(now)
    }
  }

  committedAll(): void {
    this.committed(this.pending.keys())
  }

  returnIdle(): void {
    for (const state of this.rules.states()) if (state.giveBack(0)) this.rounds.requestReturn(state)
    this.rounds.start()
  }

  tick(): void {
    const now = this.options.now()
    if (now >= this.reviewAt) {
      this.reviewAt = now + REVIEW_MS
      for (const state of this.rules.review(now)) this.rounds.requestReturn(state)
    }
    if (now >= this.renewAt && !this.isEmpty) {
      this.renewAt = now + RENEW_MS
      this.lessee.renew().catch(() => {}) // the next statement shows whether the database answers
    }
    this.rounds.start()
  }

  stats(): readonly LimitStats[] {
    return this.rules.stats(this.wallClock(), MAX_GROUPS)
  }

  async close(): Promise<void> {
    await this.rounds.close()
    const held = [...this.rules.states()].filter(({ granted, inUse, stored }) => granted > 0 || inUse > 0 || stored > 0)
    for (const state of held) state.giveBack(0)
    const asks = new Map(held.map((state) => [state, { wanted: 0, least: 0 }]))
    if (held.length > 0) await this.lessee.send(asks, () => held, 0).catch(() => {}) // they expire
  }

  onSettled(reservation: LimitReservation, { model, outputTokens }: LimitUsage): void {
    const { id, provider, requestedModel, keyId } = reservation
    this.expectations.learnModel(provider, requestedModel, model)
    if (!reservation.isFree) {
      this.expectations.learnOutput(keyId, model, outputTokens)
      if (requestedModel !== model) this.expectations.learnOutput(keyId, requestedModel, outputTokens)
    }
    if (this.pending.size < MAX_PENDING) this.pending.add(id, reservation)
    else reservation.commit(this.options.now())
  }

  onFreed(): void {
    this.rounds.serveWaiters()
  }

  requestSync(state: LimitState, now?: number): void {
    this.rounds.requestSync(state, now)
  }

  private include(rule: Rule, request: LimitedRequest, model: string, now: number): void {
    const need = this.toRuleNeed(rule, request)
    this.states[this.applying] = rule.stateOf(request, model, now)
    this.needs[this.applying] = need
    this.applying++
  }

  private toRuleNeed({ limit }: Rule, request: LimitedRequest): number {
    if (limit.action === "warn") return 0
    const need = toNeed(
      limit,
      request,
      needsEstimate(limit, request) ? this.estimate(request, limit.estimate) : NOTHING,
    )
    if (need !== undefined) return need
    if (limit.unpriced === "allow") return 0
    this.rules.countRejection(limit.id)
    throw toUnpricedModel(limit.name, request.requestedModel)
  }

  private estimate(request: LimitedRequest, kind: Limit["estimate"]): Estimate {
    if (kind === "expected") {
      this.expected ??= request.estimate("expected")
      return this.expected
    }
    this.maximum ??= request.estimate("maximum")
    return this.maximum
  }

  private announce(state: LimitState): void {
    const crossed = findCrossed(state)
    if (crossed !== undefined) this.options.onThreshold(crossed)
  }
}

const NOTHING: Estimate = { inputTokens: 0, outputTokens: 0, cost: 0 }
