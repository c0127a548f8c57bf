import { GatewayError } from "../core/errors.ts"
import type { Counters } from "./counters.ts"

/** The part of the maximum that all keys together may have in addition, so that no single key can occupy everything. */
const RESERVE = 1 / 4
/** A key may have this many times the connections that are free. A key that is alone then reaches exactly its maximum. */
const FREE_FACTOR = 1 / RESERVE
/** Above this number, the lanes of keys without requests are deleted. */
const MAX_IDLE_LANES = 1000

/** The requests of one key at one provider. */
export interface Lane {
  /** Requests that have a connection. */
  running: number
  /** Requests that wait for a connection, in the order of their arrival; undefined: none has waited yet. */
  waiting: Set<Waiter> | undefined
}

/** A request that waits for a connection. */
export interface Waiter {
  readonly lane: Lane
  readonly timer: NodeJS.Timeout
  start(): void
}

interface FairQueueOptions {
  readonly provider: string
  /** The most connections of one key: `upstream.max_connections`. */
  readonly maxPerKey: number
  readonly timeoutMs: number
  readonly counters: Pick<Counters, "waitingForProvider" | "providerTimeouts">
}

/**
 * Shares the connections to one provider between keys. A request starts at once while its key has fewer than its maximum,
 * and fewer than four times the connections that are free. Therefore one key alone can use its maximum, and some
 * connections are always free for a key that has few. All other requests wait, and the key with the fewest running requests
 * is served first.
 */
export class FairQueue {
  /** The most connections of all keys together. */
  readonly maxInAll: number
  private readonly options: FairQueueOptions
  private readonly lanes = new Map<string, Lane>()
  private running = 0
  private waiting = 0
  /** Waiting requests will start when the work at hand is done. */
  private isStarting = false

  constructor(options: FairQueueOptions) {
    this.options = options
    this.maxInAll = options.maxPerKey + Math.ceil(options.maxPerKey * RESERVE)
  }

  /** Returns the lane of a request that may start now; undefined: it has to `wait`. */
  enter(keyId: string): Lane | undefined {
    const lane = this.lanes.get(keyId) ?? this.addLane(keyId)
    if (!this.mayStart(lane) || (lane.waiting !== undefined && lane.waiting.size > 0)) return undefined
    lane.running++
    this.running++
    return lane
  }

  /** Must be called when a request that started has ended. */
  leave(lane: Lane): void {
    lane.running--
    this.running--
    if (this.waiting === 0 || this.isStarting) return
    this.isStarting = true
    // The request that leaves does the rest of its work first.
    queueMicrotask(() => this.startWaiting())
  }

  /** Waits for a connection. Later calls either `start`, or `fail` after the timeout. */
  wait(keyId: string, start: (lane: Lane) => void, fail: (error: GatewayError) => void): Waiter {
    const lane = this.lanes.get(keyId) ?? this.addLane(keyId)
    const timer = setTimeout(() => {
      this.cancel(waiter)
      this.options.counters.providerTimeouts++
      fail(this.timeoutError())
    }, this.options.timeoutMs)
    const waiter: Waiter = { lane, timer, start: () => start(lane) }
    lane.waiting ??= new Set()
    lane.waiting.add(waiter)
    this.waiting++
    this.options.counters.waitingForProvider++
    return waiter
  }

  /** Stops waiting. */
  cancel(waiter: Waiter): void {
    if (!waiter.lane.waiting?.delete(waiter)) return
    clearTimeout(waiter.timer)
    this.waiting--
    this.options.counters.waitingForProvider--
  }

  private mayStart({ running }: Lane): boolean {
    return running < this.options.maxPerKey && running < FREE_FACTOR * (this.maxInAll - this.running)
  }

  private startWaiting(): void {
    this.isStarting = false
    for (let lane = this.nextLane(); lane !== undefined && this.mayStart(lane); lane = this.nextLane()) {
      const [waiter] = lane.waiting!
      this.cancel(waiter!)
      lane.running++
      this.running++
      waiter!.start()
    }
  }

  /** Returns the lane with the fewest running requests among those that have waiting ones. */
  private nextLane(): Lane | undefined {
    if (this.waiting === 0) return undefined
    let next: Lane | undefined
    for (const lane of this.lanes.values()) {
      if (lane.waiting === undefined || lane.waiting.size === 0) continue
      if (next === undefined || lane.running < next.running) next = lane
    }
    return next
  }

  private addLane(keyId: string): Lane {
    if (this.lanes.size >= MAX_IDLE_LANES) this.deleteIdleLanes()
    const lane: Lane = { running: 0, waiting: undefined }
    this.lanes.set(keyId, lane)
    return lane
  }

  private deleteIdleLanes(): void {
    for (const [keyId, { running, waiting }] of this.lanes) {
      if (running === 0 && (waiting === undefined || waiting.size === 0)) this.lanes.delete(keyId)
    }
  }

  private timeoutError(): GatewayError {
    const { provider, timeoutMs } = this.options
    return new GatewayError(
      "provider_busy",
      `All connections to the provider ${provider} were in use for ${timeoutMs} ms (upstream.queue_timeout). Try again, ` +
        "with fewer requests at the same time.",
    )
  }
}
