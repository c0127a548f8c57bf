import type { Limit } from "../core/limit.ts"
import type { LimitError } from "../core/limit-error.ts"
import { deny, findDenied, findReason, firstShort, toDenialError } from "./denial.ts"
import type { Ask } from "./lessee.ts"
import type { LimitReservation } from "./reservation.ts"
import type { Denial, LimitState } from "./state.ts"

/** How long a request waits for other gateways to return what they do not use. */
const PATIENCE_MS = 300
/** How often such a request asks again. */
export const RETRY_MS = 30
/** More requests than these do not wait, but are rejected. */
const MAX_WAITERS = 10_000
/** A request that fits, and never gets its part because others are faster, is rejected after this many rounds. */
const MAX_ROUNDS = 100

interface Waiter {
  readonly reservation: LimitReservation
  readonly resolve: (reservation: LimitReservation) => void
  readonly reject: (error: unknown) => void
  rounds: number
  /** Until then, it does not ask. */
  retryAt: number
  /** When it stops waiting for others to return what is idle; undefined: it has not begun to wait for them. */
  patientUntil: number | undefined
}

export interface WaitersOptions {
  wallClock(): number
  onRejected(limit: Limit): void
}

/** The requests that wait for room, in the order in which they came. */
export class Waiters {
  private readonly options: WaitersOptions
  private waiters: Waiter[] = []

  constructor(options: WaitersOptions) {
    this.options = options
  }

  /** Whether a request waits for others to return what they do not use. */
  get arePatient(): boolean {
    return this.waiters.some(({ patientUntil }) => patientUntil !== undefined)
  }

  isReady(now: number): boolean {
    return this.waiters.some(({ retryAt }) => retryAt <= now)
  }

  /** @throws LimitError if there is no use in waiting */
  add(reservation: LimitReservation, now: number): Promise<LimitReservation> {
    const denied = findDenied(reservation, now)
    if (denied >= 0) throw this.toDenied(reservation, denied, reservation.states[denied]!.denial!.reason)
    if (this.waiters.length >= MAX_WAITERS) throw this.toDenied(reservation, firstShort(reservation), "reserved")
    const patientUntil = Math.max(...reservation.states.map((state) => state.patientUntil))
    const isPatient = patientUntil > now
    const times = isPatient ? { retryAt: now + RETRY_MS, patientUntil } : { retryAt: 0, patientUntil: undefined }
    return new Promise((resolve, reject) => {
      this.waiters.push({ reservation, resolve, reject, rounds: 0, ...times })
    })
  }

  /** Returns what the requests need that their leases do not have. */
  collect(now: number): Map<LimitState, Ask> {
    const asks = new Map<LimitState, Ask>()
    for (const waiter of this.waiters) {
      if (waiter.retryAt > now) continue
      waiter.rounds++
      const { states, needs } = waiter.reservation
      for (let i = 0; i < states.length; i++) {
        const state = states[i]!
        const need = needs[i]!
        if (state.fits(need)) continue
        const known = asks.get(state)
        const own = Math.max(0, state.available)
        // The first request decides what is needed at least.
        asks.set(state, { least: known?.least ?? need - own, wanted: (known?.wanted ?? -own) + need })
      }
    }
    return asks
  }

  /** Lets those go that have room now. */
  serve(): void {
    if (this.waiters.length > 0) this.waiters = this.waiters.filter((waiter) => !serve(waiter))
  }

  /** Lets those go that have room now, and rejects those for which the answers of a round leave none. */
  distribute(round: number, now: number): void {
    this.waiters = this.waiters.filter((waiter) => !serve(waiter) && !this.judge(waiter, round, now))
  }

  /** Decides about all of them in another way. */
  clear(decide: (reservation: LimitReservation) => LimitReservation): void {
    const { waiters } = this
    this.waiters = []
    for (const { reservation, resolve, reject } of waiters) {
      try {
        resolve(decide(reservation))
      } catch (error) {
        reject(error)
      }
    }
  }

  /** Returns whether the request was rejected. */
  private judge(waiter: Waiter, round: number, now: number): boolean {
    const { reservation } = waiter
    for (let i = 0; i < reservation.states.length; i++) {
      const state = reservation.states[i]!
      const need = reservation.needs[i]!
      if (state.fits(need) || state.answeredIn !== round) continue
      const reason = findReason(state, need) ?? (waiter.rounds > MAX_ROUNDS ? "reserved" : undefined)
      if (reason === undefined) continue
      if (reason === "reserved" && waitsForOthers(waiter, state, now)) return false
      deny(state, need, reason, now, this.options.wallClock())
      waiter.reject(this.toDenied(reservation, i, reason))
      return true
    }
    return false
  }

  private toDenied(reservation: LimitReservation, index: number, reason: Denial["reason"]): LimitError {
    const state = reservation.states[index]!
    reservation.abandon()
    this.options.onRejected(state.limit)
    return toDenialError(state, reservation.needs[index]!, reason, this.options.wallClock())
  }
}

function serve({ reservation, resolve }: Waiter): boolean {
  if (!reservation.fits()) return false
  reservation.take()
  resolve(reservation)
  return true
}

/** Makes a request wait if other gateways may return something: the database has told them that it is needed. */
function waitsForOthers(waiter: Waiter, state: LimitState, now: number): boolean {
  if (state.idleOfOthers === 0) return false
  waiter.patientUntil ??= now + PATIENCE_MS
  if (now >= waiter.patientUntil) return false
  waiter.retryAt = now + RETRY_MS
  state.patientUntil = Math.max(state.patientUntil, waiter.patientUntil)
  return true
}
