import { randomUUID } from "node:crypto"
import type { Limit } from "../../src/core/limit.ts"
import type { LeaseItem, LeaseState } from "../../src/core/limit-lease.ts"
import type { Reservation } from "../../src/core/limit-reservation.ts"
import { createLimits, type Limits } from "../../src/limits/index.ts"
import { createTestClock, type TestClock, toRequest } from "./_gateway.ts"

/** A row on its way to the database. Its amount is in units of the limit's measure. */
export interface WorldRow {
  readonly id: string
  readonly value: string
  readonly createdAt: number
  readonly units: number
}

/** The lease table, in memory or in PostgreSQL. */
export interface WorldTable {
  lease(gateway: string, slot: string, at: number, items: readonly LeaseItem[]): Promise<readonly LeaseState[]>
  renew(gateway: string): Promise<unknown>
  free(gateway: string): Promise<unknown>
  holders(slot: string): Promise<readonly string[]>
  write(rows: readonly WorldRow[]): Promise<void>
  /** In units, in the window of a time. */
  used(value: string, at: number): Promise<number>
  leased(value: string): Promise<number>
  change(limit: Limit): Promise<void>
  watchReturns(onWanted: () => void): void
}

interface Running {
  readonly id: string
  readonly value: string
  readonly reservation: Reservation
  units: number
}

/** One process with its journal. */
export interface Process {
  readonly slot: string
  readonly skewMs: number
  limits: Limits
  running: Running[]
  journal: WorldRow[]
  /** Rows of earlier processes at the head of the journal. */
  recovering: number
  /** The earlier processes whose leases are freed with them. */
  earlier: readonly string[]
  database: "up" | "unreachable" | "loses-answers" | "delays"
}

export interface WorldOptions {
  readonly table: WorldTable
  readonly limit: Limit
  readonly skewsMs: readonly number[]
  readonly whenUnavailable?: "allow" | "block"
  readonly startAt?: number
}

/** Some gateway processes that share one limit, on a clock that the test moves. */
export class World {
  readonly clock: TestClock
  readonly processes: Process[] = []
  limit: Limit
  /** Statements that take effect later, as after a connection was lost. */
  readonly delayed: (() => Promise<unknown>)[] = []
  hasGhosts = false
  private readonly options: WorldOptions
  private readonly inFlight = new Set<Promise<unknown>>()

  constructor(options: WorldOptions) {
    this.options = options
    this.limit = options.limit
    this.clock = createTestClock(options.startAt)
    options.skewsMs.forEach((skewMs, i) => {
      const process = { slot: `host:${i}`, skewMs, running: [], journal: [], recovering: 0, earlier: [] }
      const opened = { ...process, database: "up" as const, limits: undefined as unknown as Limits }
      opened.limits = this.open(opened)
      this.processes.push(opened)
    })
    options.table.watchReturns(() => {
      for (const process of this.processes) if (process.database === "up") process.limits.returnIdle()
    })
  }

  /** Waits until no statement runs. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise(setImmediate)
      if (this.inFlight.size === 0) quiet++
      else {
        quiet = 0
        await Promise.race(this.inFlight)
      }
    }
  }

  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      await this.clock.advance(Math.min(left, 100))
      for (const { limits } of this.processes) limits.tick()
      await this.settle()
    }
  }

  /** Asks for some units. Returns whether they were admitted, or the error. */
  async request(process: Process, units: number, value = ""): Promise<true | Error> {
    const need = { inputTokens: units, cost: units }
    const request = toRequest({ need, metadata: { "User-Id": value } })
    const asked = this.limit.measure === "requests" || this.limit.measure === "concurrency" ? 1 : units
    let result: true | Error | undefined
    const answering = (async () => {
      try {
        const reservation = (await process.limits.reserve(request))!
        process.running.push({ id: request.id, value, reservation, units: asked })
        result = true
      } catch (error) {
        result = error as Error
      }
    })()
    while (result === undefined) {
      await this.settle()
      if (result === undefined) await this.clock.advance(10)
    }
    await answering
    return result
  }

  /** Ends a request whose answer has used `units`. */
  end(process: Process, request: Running, units: number): void {
    process.running = process.running.filter((each) => each !== request)
    const createdAt = this.clock.now + process.skewMs
    const exact = this.limit.measure === "requests" ? 1 : units
    process.journal.push({ id: request.id, value: request.value, createdAt, units: exact })
    request.reservation.settle({ inputTokens: units, outputTokens: 0, cost: units, model: "gpt-5" })
  }

  release(process: Process, request: Running): void {
    process.running = process.running.filter((each) => each !== request)
    request.reservation.release()
  }

  /** Writes the oldest rows of a journal to the database. */
  async write(process: Process, count: number): Promise<void> {
    if (process.database !== "up") return
    const rows = process.journal.splice(0, count)
    await this.options.table.write(rows)
    process.recovering -= rows.length
    process.limits.committed(rows.map(({ id }) => id))
    if (process.recovering <= 0) {
      process.recovering = 0
      for (const gateway of process.earlier) await this.options.table.free(gateway)
      process.earlier = []
    }
  }

  /** Kills a process and starts another one in its slot. */
  async restart(process: Process): Promise<void> {
    for (const { id, value, reservation: _ } of process.running) {
      const units = this.limit.measure === "requests" ? 1 : 0
      process.journal.push({ id, value, createdAt: this.clock.now + process.skewMs, units })
    }
    process.running = []
    process.recovering = process.journal.length
    process.earlier = await this.options.table.holders(process.slot)
    process.database = "up"
    process.limits = this.open(process)
  }

  /** What is committed in the present window, waits in journals, or may be used by running requests. */
  async demand(value: string): Promise<number> {
    const latest = this.clock.now + Math.max(...this.processes.map(({ skewMs }) => skewMs))
    let sum = await this.options.table.used(value, latest)
    for (const { running, journal } of this.processes) {
      for (const each of running) if (each.value === value) sum += each.units
      if (this.limit.measure === "concurrency") continue
      for (const each of journal) if (each.value === value) sum += each.units
    }
    return sum
  }

  private open(process: Process): Limits {
    const { table, whenUnavailable = "block" } = this.options
    let isDead = false
    const limits = createLimits({
      table: {
        lease: (gateway, at, items) => {
          if (isDead) return new Promise(() => {})
          return this.send(process, () => table.lease(gateway, process.slot, at, items))
        },
        renew: (gateway) => this.send(process, () => table.renew(gateway)),
        free: (gateway) => this.send(process, () => table.free(gateway)),
      },
      newGatewayId: randomUUID,
      now: () => this.clock.now,
      wallClock: () => this.clock.now + process.skewMs,
      after: (ms, run) =>
        this.clock.after(ms, () => {
          if (process.limits === limits) run()
          else isDead = true
        }),
      warn: () => {},
      onThreshold: () => {},
      whenUnavailable,
    })
    limits.replace([this.limit])
    return limits
  }

  private send<T>(process: Process, run: () => Promise<T>): Promise<T> {
    const sending = this.transmit(process, run)
    const watched = sending.catch(() => {}).finally(() => this.inFlight.delete(watched))
    this.inFlight.add(watched)
    return sending
  }

  private async transmit<T>(process: Process, run: () => Promise<T>): Promise<T> {
    if (process.database === "up") return run()
    if (process.database === "loses-answers") await run()
    if (process.database === "delays") {
      this.hasGhosts = true
      this.delayed.push(run)
    }
    throw new Error("the database does not answer")
  }
}
