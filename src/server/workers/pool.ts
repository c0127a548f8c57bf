import cluster, { type Worker } from "node:cluster"
import { serialize } from "node:v8"
import { version } from "../../../package.json"
import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import { addLedgerStats, type LedgerStats } from "../../database/ledger/accounts.ts"
import type { ServerOptions } from "../options.ts"
import type { Metric } from "../prometheus.ts"
import { closeUnconfirmedConnections } from "./handover.ts"
import type { ToPrimary, ToWorker } from "./messages.ts"
import { createQuestions } from "./questions.ts"
import { createTotals, toSettled } from "./totals.ts"

const COLLECT_TIMEOUT_MS = 1000
/** The wait before a worker is replaced. It doubles with each failure. */
const BACKOFF_MS = { first: 100, last: 10_000 }
/** The end of a worker that ran this long is not counted as a failure to start. */
const HEALTHY_MS = 30_000

type Ready = Extract<ToPrimary, { type: "ready" }>

interface PoolOptions {
  readonly port: number
  readonly settings: Settings
  readonly log: ServerOptions["log"]
  /** Returns the metrics of all processes. A worker asks for them when it is scraped. */
  collectAll(isScrape: boolean): Promise<readonly Metric[]>
}

/** The worker processes. The pool starts them, replaces those that end, collects their metrics and stops them. */
export class WorkerPool {
  readonly #options: PoolOptions
  readonly #workers = new Set<Worker>()
  /** The workers that are ready, each with the directory of its journal. */
  readonly #ready = new Map<Worker, string>()
  /** The numbers of the rows of each worker, and those of the workers that have ended. */
  readonly #counted = new Map<Worker, LedgerStats>()
  readonly #ended: LedgerStats[] = []
  readonly #totals = createTotals()
  readonly #questions = createQuestions<readonly Metric[] | undefined>(COLLECT_TIMEOUT_MS)
  #wanted = 0
  #isStopping = false
  #failures = 0

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** Starts the workers. Rejects with the reason of the first one that cannot start. */
  async start(count: number): Promise<Ready> {
    this.#wanted = count
    // The first worker starts alone, because a problem that it has would stop all of them.
    const ready = await this.#fork()
    await Promise.all(Array.from({ length: count - 1 }, () => this.#fork()))
    return ready
  }

  /** Returns the directories of the journals of the workers that are ready. */
  slots(): ReadonlySet<string> {
    return new Set(this.#ready.values())
  }

  /**
   * Returns the sums over all workers, those that have ended included, and the metrics of this process. For a worker that
   * does not answer in time, its last metrics count.
   */
  async collect(own: readonly Metric[]): Promise<readonly Metric[]> {
    const ask = async (worker: Worker) => {
      const metrics = await this.#questions.ask((id) => send(worker, { type: "collect", id }), undefined)
      if (metrics !== undefined && this.#workers.has(worker)) this.#totals.report(worker.id, metrics)
    }
    await Promise.all([...this.#workers].map(ask))
    return this.#totals.sum(own)
  }

  /** Returns the last known numbers of the rows of all workers, those that have ended included. */
  stats(): LedgerStats {
    return addLedgerStats([...this.#ended, ...this.#counted.values()])
  }

  /** Stops all workers and kills them after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#isStopping = true
    const timer = setTimeout(() => this.kill(), timeoutMs)
    const exited = [...this.#workers].map((worker) => new Promise((resolve) => worker.once("exit", resolve)))
    for (const worker of this.#workers) send(worker, { type: "stop" })
    await Promise.all(exited)
    clearTimeout(timer)
  }

  kill(): void {
    this.#isStopping = true
    for (const worker of this.#workers) worker.process.kill("SIGKILL")
  }

  /** Starts a worker. Resolves when it listens, and rejects when it exits before that. */
  #fork(): Promise<Ready> {
    const worker = cluster.fork()
    const startedAt = performance.now()
    let failure: string | undefined
    let isReady = false
    this.#workers.add(worker)
    closeUnconfirmedConnections(worker)
    return new Promise((resolve, reject) => {
      worker.on("error", () => {})
      worker.on("message", (message: ToPrimary) => {
        if (message.type === "ready") {
          isReady = true
          this.#ready.set(worker, message.slot)
          this.#tellMissing()
          resolve(message)
        } else if (message.type === "failed") failure = message.message
        else this.#handle(worker, message)
      })
      worker.once("exit", (code, signal) => {
        const how = signal ?? `exit code ${code}`
        this.#forget(worker)
        reject(new CommandError(failure ?? `a worker ended before it was ready (${how})`))
        if (this.#isStopping || !isReady) return
        if (performance.now() - startedAt > HEALTHY_MS) this.#failures = 0
        this.#options.log("error", `worker ${worker.process.pid} ended (${how}): starting another one`)
        this.#replace()
      })
    })
  }

  #handle(worker: Worker, message: Exclude<ToPrimary, { type: "ready" | "failed" }>): void {
    const { port, settings, collectAll } = this.#options
    if (message.type === "online") {
      send(worker, { type: "start", version, port, settings: serialize(settings).toString("base64") })
    } else if (message.type === "collected") this.#questions.answer(message.id, message.metrics)
    else if (message.type === "counted") this.#counted.set(worker, message.stats)
    else if (message.type === "stopped") {
      this.#counted.set(worker, message.stats)
      this.#totals.report(worker.id, message.metrics)
    } else
      void collectAll(message.isScrape).then((metrics) =>
        send(worker, { type: "collected-all", id: message.id, metrics }),
      )
  }

  #forget(worker: Worker): void {
    this.#workers.delete(worker)
    const stats = this.#counted.get(worker)
    this.#counted.delete(worker)
    // Another worker counts the rows that this one left, unless the gateway stops: then they wait for the next start.
    if (stats !== undefined) this.#ended.push(this.#isStopping ? stats : toSettled(stats))
    this.#totals.end(worker.id)
    if (this.#ready.delete(worker)) this.#tellMissing()
  }

  #tellMissing(): void {
    for (const worker of this.#ready.keys()) send(worker, { type: "missing", count: this.#wanted - this.#ready.size })
  }

  #replace(): void {
    const waitMs = Math.min(BACKOFF_MS.first * 2 ** this.#failures++, BACKOFF_MS.last)
    setTimeout(() => {
      if (this.#isStopping) return
      this.#fork().catch((error: Error) => {
        if (this.#isStopping) return
        this.#options.log("error", error.message)
        this.#replace()
      })
    }, waitMs)
  }
}

function send(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => {})
}
