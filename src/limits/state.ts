import { type Limit, toHeaderName } from "../core/limit.ts"

/** The usual chunk of a busy limit is what this time needs. */
const CHUNK_SECONDS = 1.5
/** A chunk grows at most by this factor, so that a short burst does not lease what it does not need. */
const MAX_GROWTH = 4
/** Demand is measured over at least this time. */
const MIN_DEMAND_MS = 50
/** After this time without a request, what was learned about the demand is obsolete. */
const DEMAND_MEMORY_MS = 5_000

/** Why the database has no room for a request, remembered for a moment so that a flood does not ask it each time. */
export interface Denial {
  readonly until: number
  /** Requests that need less may still fit. */
  readonly need: number
  readonly reason: "used_up" | "reserved"
}

/**
 * What this gateway knows about one limit and value. Amounts are whole numbers of units (`core/limit-units.ts`). At every
 * moment, the lease in the database is at least `granted`, and `granted` covers `inUse` unless a request exceeded its
 * estimate.
 */
export class LimitState {
  limit: Limit
  readonly value: string
  /** The lease, without what left it with committed rows. */
  granted = 0
  /** The lease as the database has it. */
  stored = 0
  /** The part that running requests hold. */
  reserved = 0
  /** The part of rows that are on their way to the database. */
  uncommitted = 0
  /** How many requests and statements use this object. It is forgotten only when there are none. */
  references = 0
  /** The limit was deleted or replaced: it rejects nothing. */
  isGone = false

  /** From the latest answer of the database. `used` also has what this gateway has committed since then. */
  amount: number
  used = 0
  leasedByOthers = 0
  idleOfOthers = 0
  windowStart = 0
  /** Milliseconds since the epoch. */
  windowEnd = Number.POSITIVE_INFINITY
  /** The number of the round with the latest answer. */
  answeredIn = 0

  denial: Denial | undefined = undefined
  /** Until then, requests without room wait for other gateways to return what is idle. */
  patientUntil = 0
  /** The highest percentage of `notify_at` that was announced in this window. */
  announced = 0

  /** When the database is to hear of changes; Infinity: there are none. */
  syncAt = Number.POSITIVE_INFINITY
  /** Whether it waits for the database to hear of it (`Rounds`). */
  isUnsynced = false
  /** What requests have taken since `measuredAt`, from which the next chunk is computed. */
  private taken = 0
  private measuredAt = 0
  lastChunk = 0
  /** What the latest answer has added to the lease. */
  lastGrant = 0
  isRefilling = false
  refillAfter = 0
  /** What requests have taken since the last review. */
  takenSinceReview = 0
  reviewedAt = 0

  /** The limit whose name `header` is. */
  private named: Limit | undefined = undefined
  private header = ""

  constructor(limit: Limit, value: string, amount: number) {
    this.limit = limit
    this.value = value
    this.amount = amount
  }

  /** The name of the limit as it stands in the header of each answer. */
  get headerName(): string {
    if (this.named !== this.limit) {
      this.named = this.limit
      this.header = toHeaderName(this.limit.name)
    }
    return this.header
  }

  get inUse(): number {
    return this.reserved + this.uncommitted
  }

  get available(): number {
    return this.granted - this.reserved - this.uncommitted
  }

  /** Returns what committed rows and leases leave of the limit, as far as this gateway knows. `now`: ms since the epoch. */
  left(now: number): number {
    const used = now < this.windowEnd ? this.used : 0
    return Math.max(0, this.amount - used - this.inUse - this.leasedByOthers)
  }

  /** Whether an amount fits into the lease. Nothing always fits. */
  fits(need: number): boolean {
    return need <= this.granted - this.reserved - this.uncommitted || need === 0 || this.isGone
  }

  take(need: number): void {
    this.reserved += need
    this.taken += need
    this.takenSinceReview += need
  }

  /** Whether less than half of the last chunk is left, and the chunk was worth asking in advance. */
  needsRefill(need: number, now: number): boolean {
    if (this.isRefilling || this.lastChunk < 4 * need || now < this.refillAfter) return false
    return this.granted - this.reserved - this.uncommitted < this.lastChunk / 2
  }

  /** Returns how much to lease for the coming demand, beside what waits. Begins a new measurement. */
  nextChunk(now: number): number {
    if (this.limit.measure === "concurrency") return 0
    const elapsed = Math.max(now - this.measuredAt, MIN_DEMAND_MS)
    const demand = elapsed > DEMAND_MEMORY_MS ? 0 : (this.taken / elapsed) * 1000
    this.taken = 0
    this.measuredAt = now
    return Math.ceil(Math.min(demand * CHUNK_SECONDS, MAX_GROWTH * this.lastChunk))
  }

  /**
   * A request does not need an amount any more. It stays in the lease for the next one, unless the leases exceed the limit,
   * whose amount was lowered. Returns whether the lease has become smaller.
   */
  release(amount: number): boolean {
    this.reserved -= amount
    return this.used + this.leasedByOthers + this.granted > this.amount && this.giveBack(0)
  }

  /** The row with this amount is in the database, which counts it as used from now on. */
  commit(amount: number): void {
    this.uncommitted -= amount
    this.granted = Math.max(0, this.granted - amount)
    this.used += amount
  }

  /** Forgets what depends on the amount, the window and the filters of the limit, and gives back what is not in use. */
  forget(): void {
    this.used = 0
    this.denial = undefined
    this.announced = 0
    this.giveBack(0)
  }

  /** Gives back what is not in use, except `keep`. Returns whether there was something. */
  giveBack(keep: number): boolean {
    const excess = this.available - keep
    if (excess <= 0) return false
    this.granted -= excess
    return true
  }
}
