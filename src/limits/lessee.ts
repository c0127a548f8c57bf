import type { LeaseItem, LeaseState } from "../core/limit-lease.ts"
import { fromUnits, toUnits } from "../core/limit-units.ts"
import type { LimitState } from "./state.ts"

/** The statements about leases. Each rejects when the database does not answer; whether it took effect is then unknown. */
interface LeaseTable {
  /** @param at the time of the gateway in ms since the epoch, which decides the window */
  lease(gateway: string, at: number, items: readonly LeaseItem[]): Promise<readonly LeaseState[]>
  /** Extends all leases of the gateway. */
  renew(gateway: string): Promise<unknown>
  /** Deletes all leases of a gateway. */
  free(gateway: string): Promise<unknown>
}

export interface LesseeOptions {
  readonly table: LeaseTable
  newGatewayId(): string
  /** Milliseconds that only increase. */
  now(): number
  /** Milliseconds since the epoch. */
  wallClock(): number
}

/** What a state asks for, in units. */
export interface Ask {
  readonly wanted: number
  readonly least: number
}

const NOTHING: Ask = { wanted: 0, least: 0 }
const MAX_ITEMS = 1_000
/** The leases of ids before these have expired by the time the database answers again. */
const MAX_OBSOLETE = 1_000
/** Leases live for 15 minutes by the clock of the database; this gateway stops using them a little earlier. */
const TRUST_MS = 15 * 60_000 - 30_000

/**
 * The gateway as a holder of leases. It sends one statement at a time.
 *
 * A statement whose answer was lost may take effect at any later time, and would then undo later ones. So the gateway goes on
 * under a new id: it first leases again what it holds, and then frees the leases of the old id. A late statement can only
 * create a lease of an id that is not used any more, which counts too much until it expires, and never too little.
 */
export class Lessee {
  private readonly options: LesseeOptions
  private id: string
  /** Earlier ids whose leases may exist. */
  private readonly obsolete: string[] = []
  private isUncertain = false
  private renewedAt: number

  constructor(options: LesseeOptions) {
    this.options = options
    this.id = options.newGatewayId()
    this.renewedAt = options.now()
  }

  get gatewayId(): string {
    return this.id
  }

  /** Whether a statement is due although nobody asks: leases of earlier ids have to be freed. */
  get hasDebts(): boolean {
    return this.isUncertain || this.obsolete.length > 0
  }

  /** Whether the leases still live, by the clock of this gateway. */
  isTrusted(now: number): boolean {
    return now - this.renewedAt < TRUST_MS
  }

  /**
   * Sends what the states hold and ask for, and applies the answers.
   * @param all every state that holds something, for a new id
   */
  async send(asks: ReadonlyMap<LimitState, Ask>, all: () => Iterable<LimitState>, round: number): Promise<void> {
    if (this.isUncertain || !this.isTrusted(this.options.now())) await this.startAgain(all)
    await this.freeObsolete()
    const states = [...asks.keys()]
    for (let from = 0; from === 0 || from < states.length; from += MAX_ITEMS) {
      await this.sendSome(states.slice(from, from + MAX_ITEMS), asks, round)
    }
  }

  async renew(): Promise<void> {
    const startedAt = this.options.now()
    if (this.isUncertain || !this.isTrusted(startedAt)) return
    await this.options.table.renew(this.id)
    this.renewedAt = startedAt
  }

  private async startAgain(all: () => Iterable<LimitState>): Promise<void> {
    const startedAt = this.options.now()
    const held = [...all()].filter(({ granted, inUse }) => granted > 0 || inUse > 0)
    // What has expired may have been granted to others.
    if (!this.isTrusted(startedAt)) for (const state of held) state.granted = state.inUse
    this.obsolete.push(this.id)
    if (this.obsolete.length > MAX_OBSOLETE) this.obsolete.shift()
    this.id = this.options.newGatewayId()
    for (let from = 0; from < held.length; from += MAX_ITEMS) {
      await this.sendSome(held.slice(from, from + MAX_ITEMS), new Map(), undefined)
    }
    this.isUncertain = false
    this.renewedAt = startedAt
  }

  private async freeObsolete(): Promise<void> {
    while (this.obsolete.length > 0) {
      await this.options.table.free(this.obsolete[0]!)
      this.obsolete.shift()
    }
  }

  private async sendSome(states: readonly LimitState[], asks: ReadonlyMap<LimitState, Ask>, round: number | undefined) {
    const held = new Map<string, { readonly state: LimitState; readonly holding: number }>()
    const items = states.map((state): LeaseItem => {
      const { measure, id: limit } = state.limit
      const inUse = state.inUse
      state.granted = Math.max(state.granted, inUse) // a stream used more than it had reserved
      state.syncAt = Number.POSITIVE_INFINITY
      state.references++
      held.set(toKey(limit, state.value), { state, holding: state.granted })
      const { wanted, least } = asks.get(state) ?? NOTHING
      return {
        limit,
        value: state.value,
        holding: fromUnits(state.granted, measure),
        in_use: fromUnits(inUse, measure),
        wanted: fromUnits(wanted, measure),
        least: fromUnits(least, measure),
      }
    })
    const answers = await this.ask(items).finally(() => {
      for (const state of states) state.references--
    })
    for (const answer of answers) {
      const key = toKey(answer.limit, answer.value)
      const sent = held.get(key)
      if (sent === undefined) continue
      held.delete(key)
      apply(sent.state, answer, sent.holding)
      if (round !== undefined) sent.state.answeredIn = round
    }
    for (const { state } of held.values()) state.isGone = true // the limit was deleted
  }

  private async ask(items: readonly LeaseItem[]): Promise<readonly LeaseState[]> {
    const { table, wallClock } = this.options
    try {
      return await table.lease(this.id, wallClock(), items)
    } catch (error) {
      this.isUncertain = true
      throw error
    }
  }
}

function toKey(limit: string, value: string): string {
  return `${limit} ${value}`
}

/** @param holding what was sent; meanwhile, rows may have been committed that took their part with them */
function apply(state: LimitState, answer: LeaseState, holding: number): void {
  const { measure } = state.limit
  const granted = toUnits(answer.granted, measure, "down")
  state.granted += granted - holding
  state.lastGrant = granted - holding
  state.stored = granted
  state.amount = toUnits(answer.amount, measure, "down")
  state.used = toUnits(answer.used, measure, "up")
  state.leasedByOthers = Math.max(0, toUnits(answer.leased, measure, "up") - granted)
  state.idleOfOthers = toUnits(answer.idle, measure, "down")
  if (answer.windowStart !== state.windowStart) state.announced = 0
  state.windowStart = answer.windowStart
  state.windowEnd = answer.windowEnd ?? Number.POSITIVE_INFINITY
}
