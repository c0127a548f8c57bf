import type { Backend } from "./backend.ts"
import type { Rows } from "./rows.ts"
import type { Session } from "./session.ts"

/** A statement of the multiplexer itself that waits for the backend. */
interface Job {
  readonly sql: string
  readonly limitMs: number
  resolve(rows: Rows): void
  reject(error: Error): void
}

interface SchedulerOptions {
  /** All connected clients. The scheduler removes a client after it has cleaned up after it. */
  readonly sessions: Set<Session>
  /** How long a client may stay idle in a transaction while others wait. */
  readonly idleTransactionMs: number
  readonly log: (line: string) => void
}

const STOPPED = "the embedded database stopped"

/**
 * Decides who uses the backend. A client owns it from its first message until it is outside of a transaction
 * (ReadyForQuery `I`). The other clients wait in a queue; statements of the multiplexer itself go before them.
 */
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #queue: Session[] = []
  readonly #jobs: Job[] = []
  #backend: Backend | undefined
  #owner: Session | undefined
  #isRunning = false
  #running: Promise<void> = Promise.resolve()
  #idleTimer: NodeJS.Timeout | undefined
  #unitCount = 0

  constructor(options: SchedulerOptions) {
    this.#options = options
  }

  get backend(): Backend | undefined {
    return this.#backend
  }

  /** The number of clients' units that ran so far. */
  get unitCount(): number {
    return this.#unitCount
  }

  get isIdle(): boolean {
    return !this.#owner && !this.#isRunning && this.#queue.length === 0 && this.#jobs.length === 0
  }

  attach(backend: Backend): void {
    this.#backend = backend
    this.#start()
  }

  /** Drops the backend and everything that waits for it. Statements of the multiplexer itself reject. */
  detach(): void {
    this.#backend = undefined
    this.#owner = undefined
    clearTimeout(this.#idleTimer)
    this.#queue.length = 0
    for (const job of this.#jobs.splice(0)) job.reject(new Error(STOPPED))
  }

  /** Stops after the step that is running now. */
  async stop(): Promise<void> {
    this.#backend = undefined
    await this.#running
  }

  /** Puts a client that has sent a unit, or that has gone, into the queue. */
  enqueue(session: Session): void {
    if (session !== this.#owner && !this.#queue.includes(session)) this.#queue.push(session)
    this.#start()
    this.#endIdleOwner()
  }

  /** Runs a statement between those of the clients. Rejects with the backend's error. */
  run(sql: string, limitMs: number): Promise<Rows> {
    return new Promise((resolve, reject) => {
      if (!this.#backend) return reject(new Error(STOPPED))
      this.#jobs.push({ sql, limitMs, resolve, reject })
      this.#start()
      this.#endIdleOwner()
    })
  }

  #start(): void {
    if (!this.#isRunning) this.#running = this.#work()
  }

  async #work(): Promise<void> {
    this.#isRunning = true
    const backend = this.#backend
    let hasFailed = false
    try {
      while (backend && backend === this.#backend && (await this.#step(backend)));
    } catch (error) {
      // The server detaches a dead backend. Any other error is a bug, and ends the connection of the owner.
      if (!backend?.isDead()) {
        hasFailed = true
        this.#options.log(`embedded database: ${(error as Error).message}`)
        this.#owner?.end("XX000", "internal error of the embedded database")
      }
    } finally {
      this.#isRunning = false
    }
    if (this.#backend && (hasFailed || this.#backend !== backend)) this.#start()
  }

  /** Runs one job or one unit. Returns false when there is nothing to run. */
  async #step(backend: Backend): Promise<boolean> {
    const job = this.#owner ? undefined : this.#jobs.shift()
    if (job) {
      await backend.runStatement(job.sql, job.limitMs).then(job.resolve, job.reject)
      return true
    }
    this.#owner ??= this.#queue.shift()
    return this.#owner !== undefined && (await this.#serve(backend, this.#owner))
  }

  /** Runs one step for the owner. Returns false when the owner keeps the backend but has nothing to run. */
  async #serve(backend: Backend, session: Session): Promise<boolean> {
    const unit = session.pending.shift()
    if (session.isGone) {
      this.#owner = undefined
      this.#options.sessions.delete(session)
      await backend.cleanUpAfter(session)
    } else if (unit) {
      session.idleSince = undefined
      this.#unitCount++
      await backend.runUnit(session, unit)
      session.resume()
      if (session.status !== "I" || unit.flushes) return true
    } else if (session.status !== "I") {
      session.idleSince ??= performance.now()
      this.#endIdleOwner()
      return false
    }
    if (this.#owner === session) this.#owner = undefined
    const isWaiting = session.pending.length > 0 || session.isGone
    if (this.#options.sessions.has(session) && isWaiting) this.#queue.push(session)
    return true
  }

  /** Ends a client that is idle in a transaction for too long, but only while others wait for the backend. */
  #endIdleOwner(): void {
    clearTimeout(this.#idleTimer)
    const since = this.#owner?.idleSince
    if (since === undefined || (this.#queue.length === 0 && this.#jobs.length === 0)) return
    const leftMs = since + this.#options.idleTransactionMs - performance.now()
    if (leftMs > 0) this.#idleTimer = setTimeout(() => this.#endIdleOwner(), Math.ceil(leftMs))
    else this.#owner!.end("25P03", "terminating connection due to idle-in-transaction timeout")
  }
}
