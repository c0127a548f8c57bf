import { type LimitError, toLimitsUnavailable } from "../core/limit-error.ts"
import { firstShort } from "./denial.ts"
import type { Ask, Lessee } from "./lessee.ts"
import type { LimitReservation } from "./reservation.ts"
import type { LimitState } from "./state.ts"
import { RETRY_MS, Waiters, type WaitersOptions } from "./waiters.ts"

/** The database hears of committed amounts after this time: earlier if little of the limit is free. */
const SYNC_MS = { near: 150, far: 2_000 }
/** After a refill that granted nothing. */
const REFILL_PAUSE_MS = 500
const PROBE_MS = { first: 250, last: 2_000 }

export interface RoundsOptions extends WaitersOptions {
  readonly lessee: Lessee
  allStates(): Iterable<LimitState>
  /** What happens to requests that do not fit into the leases while the database does not answer. */
  readonly whenUnavailable: "allow" | "block"
  now(): number
  /** Runs something once after a time. */
  after(ms: number, run: () => void): void
  warn(line: string): void
  onAnswer(state: LimitState): void
}

/**
 * The exchange with the database. At most one statement runs at a time; all requests that wait meanwhile share the next
 * one. A *round* is one statement and what follows from its answers.
 */
export class Rounds {
  private readonly options: RoundsOptions
  private readonly waiters: Waiters
  private readonly refills = new Set<LimitState>()
  private readonly unsynced = new Set<LimitState>()
  private isRunning = false
  private running: Promise<void> = Promise.resolve()
  private round = 0
  private isTimerSet = false
  private isClosed = false
  /** While the database does not answer: when it is tried again. */
  private probeAt: number | undefined = undefined
  private probeMs = PROBE_MS.first

  constructor(options: RoundsOptions) {
    this.options = options
    this.waiters = new Waiters(options)
  }

  /** Waits until a reservation has room. @throws LimitError, also as a rejection */
  wait(reservation: LimitReservation): LimitReservation | Promise<LimitReservation> {
    if (this.probeAt !== undefined || this.isClosed) return this.admitWithoutDatabase(reservation)
    const waiting = this.waiters.add(reservation, this.options.now())
    this.start()
    this.askAgainLater()
    return waiting
  }

  /** Leases more for a state in the background. */
  refill(state: LimitState): void {
    if (this.probeAt !== undefined || this.isClosed) return
    state.isRefilling = true
    this.refills.add(state)
    this.start()
  }

  /** The database is to hear soon that a lease has changed. */
  requestSync(state: LimitState, now = this.options.now()): void {
    const free = state.amount - state.used - state.leasedByOthers - state.granted
    const delay = state.available < 0 ? 0 : free < state.amount / 8 ? SYNC_MS.near : SYNC_MS.far
    this.syncAt(now + delay, state)
  }

  /** The database is to hear at once that a lease has become smaller. */
  requestReturn(state: LimitState): void {
    this.syncAt(this.options.now(), state)
  }

  /** A part of a lease can be used by those that wait. */
  serveWaiters(): void {
    this.waiters.serve()
  }

  /** Begins a round if there is something to ask. */
  start(): void {
    if (this.isRunning || this.isClosed || !this.hasWork()) return
    this.isRunning = true
    this.running = this.run()
  }

  /** Waits for the running round. No other begins. */
  async close(): Promise<void> {
    this.isClosed = true
    await this.running
    this.waiters.clear((reservation) => {
      throw this.toUnavailable(reservation)
    })
  }

  private syncAt(at: number, state: LimitState): void {
    state.syncAt = Math.min(state.syncAt, at)
    if (state.isUnsynced) return
    state.isUnsynced = true
    this.unsynced.add(state)
  }

  private hasWork(): boolean {
    const now = this.options.now()
    if (this.probeAt !== undefined) return now >= this.probeAt
    if (this.refills.size > 0 || this.options.lessee.hasDebts || this.waiters.isReady(now)) return true
    for (const { syncAt } of this.unsynced) if (syncAt <= now) return true
    return false
  }

  private async run(): Promise<void> {
    let failures = 0
    while (!this.isClosed && this.hasWork()) {
      if (await this.askOnce()) failures = 0
      // One failure can be one lost connection.
      else if (failures++ > 0 || this.probeAt !== undefined) this.onUnavailable()
    }
    // In the same step as the last look at what there is to do, so that nothing new is missed.
    this.isRunning = false
  }

  /** Returns whether the database has answered. */
  private async askOnce(): Promise<boolean> {
    const { lessee, allStates, now, onAnswer } = this.options
    const asks = this.collect(now())
    const round = ++this.round
    try {
      await lessee.send(asks, allStates, round)
    } catch {
      for (const state of asks.keys()) state.isRefilling = false
      return false
    }
    this.onAvailable()
    for (const [state, { wanted }] of asks) {
      this.learn(state, wanted)
      onAnswer(state)
    }
    this.waiters.distribute(round, now())
    this.askAgainLater()
    return true
  }

  private collect(now: number): Map<LimitState, Ask> {
    const asks = this.waiters.collect(now)
    for (const state of this.refills) if (!asks.has(state)) asks.set(state, { least: 0, wanted: 0 })
    this.refills.clear()
    for (const [state, { least, wanted }] of asks) {
      state.isRefilling = true
      asks.set(state, { least, wanted: wanted + state.nextChunk(now) })
    }
    for (const state of this.unsynced) {
      if (state.syncAt > now && !state.isGone && !asks.has(state)) continue
      this.unsynced.delete(state)
      state.isUnsynced = false
      if (!state.isGone && !asks.has(state)) asks.set(state, { least: 0, wanted: 0 })
    }
    return asks
  }

  private learn(state: LimitState, wanted: number): void {
    state.isRefilling = false
    if (wanted === 0) return
    if (state.lastGrant > 0) state.lastChunk = state.lastGrant
    else state.refillAfter = this.options.now() + REFILL_PAUSE_MS
  }

  /** Makes those ask again that wait for other gateways. */
  private askAgainLater(): void {
    if (this.isTimerSet || !this.waiters.arePatient) return
    this.isTimerSet = true
    this.options.after(RETRY_MS, () => {
      this.isTimerSet = false
      this.start()
      this.askAgainLater()
    })
  }

  /** Decides about a request that does not fit into the leases. */
  private admitWithoutDatabase(reservation: LimitReservation): LimitReservation {
    if (this.options.whenUnavailable === "block") throw this.toUnavailable(reservation)
    reservation.take()
    return reservation
  }

  private toUnavailable(reservation: LimitReservation): LimitError {
    const { limit } = reservation.states[firstShort(reservation)]!
    reservation.abandon()
    this.options.onRejected(limit)
    return toLimitsUnavailable(limit.name)
  }

  private onUnavailable(): void {
    const isNew = this.probeAt === undefined
    this.probeMs = isNew ? PROBE_MS.first : Math.min(this.probeMs * 2, PROBE_MS.last)
    this.probeAt = this.options.now() + this.probeMs
    if (!isNew) return
    const then = this.options.whenUnavailable === "block" ? "rejected" : "allowed"
    this.options.warn(
      `limits: the database does not answer. Until it does, requests are checked against what this gateway has leased. When that is used up, they are ${then} (server.limits_when_unavailable)`,
    )
    this.waiters.clear((reservation) => this.admitWithoutDatabase(reservation))
  }

  private onAvailable(): void {
    if (this.probeAt === undefined) return
    this.probeAt = undefined
    this.options.warn("limits: the database answers again")
  }
}
