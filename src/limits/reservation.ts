import type { Estimate, LimitedRequest, LimitUsage, Reservation } from "../core/limit-reservation.ts"
import { fromUnits } from "../core/limit-units.ts"
import { type Countables, toNeed } from "./rule.ts"
import type { LimitState } from "./state.ts"

/** Who hears of the changes of reservations. */
interface ReservationOwner {
  /** A request has ended, and its row is on its way to the database. */
  onSettled(reservation: LimitReservation, usage: LimitUsage): void
  /** A part of a lease can be used by others. */
  onFreed(): void
  /** The lease in the database should be compared with this one soon. */
  requestSync(state: LimitState, now?: number): void
  /** Milliseconds since the epoch. */
  wallClock(): number
}

/**
 * What one request holds of the limits that apply to it. It moves through four phases: *new* (it waits for room), *running* (its estimate is reserved),
 * *settled* (its exact amount waits for the row to be in the database), and *over*.
 */
export class LimitReservation implements Reservation, Countables {
  readonly id: string
  readonly keyId: string
  readonly provider: string
  readonly requestedModel: string
  readonly isFree: boolean
  readonly isSubscribed: boolean
  readonly opensSession: boolean
  private readonly owner: ReservationOwner
  readonly states: readonly LimitState[]
  /** What it holds of each of the states. */
  readonly needs: number[]
  private phase: "new" | "running" | "settled" | "over" = "new"

  constructor(owner: ReservationOwner, request: LimitedRequest, states: readonly LimitState[], needs: number[]) {
    this.owner = owner
    this.states = states
    this.needs = needs
    this.id = request.id
    this.keyId = request.keyId
    this.provider = request.provider
    this.requestedModel = request.requestedModel
    this.isFree = request.isFree
    this.isSubscribed = request.isSubscribed
    this.opensSession = request.opensSession === true
    for (const state of states) state.references++
  }

  /** Whether all leases have room for it. */
  fits(): boolean {
    for (let i = 0; i < this.states.length; i++) if (!this.states[i]!.fits(this.needs[i]!)) return false
    return true
  }

  take(): void {
    this.phase = "running"
    for (let i = 0; i < this.states.length; i++) this.states[i]!.take(this.needs[i]!)
  }

  remaining(): string | undefined {
    const now = this.owner.wallClock()
    let tightest: LimitState | undefined
    let least = Number.POSITIVE_INFINITY
    for (const state of this.states) {
      if (state.limit.action === "warn" || state.isGone) continue
      const share = state.amount === 0 ? 0 : state.left(now) / state.amount
      if (share >= least) continue
      tightest = state
      least = share
    }
    if (tightest === undefined) return undefined
    return `${tightest.headerName}=${fromUnits(tightest.left(now), tightest.limit.measure)}`
  }

  extend(used: Estimate): void {
    if (this.phase !== "running") return
    for (let i = 0; i < this.states.length; i++) {
      const state = this.states[i]!
      if (state.limit.action === "warn") continue
      const more = (toNeed(state.limit, this, used) ?? 0) - this.needs[i]!
      if (more <= 0) continue
      state.take(more)
      this.needs[i] = this.needs[i]! + more
      if (state.available < 0) this.owner.requestSync(state)
    }
  }

  settle(usage: LimitUsage): void {
    if (this.phase !== "running") return
    this.phase = "settled"
    for (let i = 0; i < this.states.length; i++) {
      const state = this.states[i]!
      const isCounted = state.limit.measure !== "concurrency" && state.limit.action === "block"
      const exact = isCounted ? (toNeed(state.limit, this, usage) ?? 0) : 0
      state.uncommitted += exact
      if (state.release(this.needs[i]!) || state.available < 0) this.owner.requestSync(state)
      this.needs[i] = exact
    }
    this.owner.onSettled(this, usage)
    this.owner.onFreed()
  }

  /** The row is in the database, or it will never be. @param now of the clock that only increases */
  commit(now: number): void {
    if (this.phase !== "settled") return
    this.phase = "over"
    for (let i = 0; i < this.states.length; i++) {
      const state = this.states[i]!
      state.references--
      state.commit(this.needs[i]!)
      if (state.limit.measure !== "concurrency") this.owner.requestSync(state, now)
    }
  }

  release(): void {
    if (this.phase !== "running") return
    for (let i = 0; i < this.states.length; i++) {
      const state = this.states[i]!
      if (state.release(this.needs[i]!)) this.owner.requestSync(state)
    }
    this.abandon()
    this.owner.onFreed()
  }

  /** Ends a reservation that holds nothing. */
  abandon(): void {
    this.phase = "over"
    for (const state of this.states) state.references--
  }
}
