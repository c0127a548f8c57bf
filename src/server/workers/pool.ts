import cluster, { type Worker } from "node:cluster"
import { CommandError } from "../../core/errors.ts"
import type { LedgerStats } from "../../database/ledger/ledger.ts"
import type { ServerOptions } from "../options.ts"
import type { Metric } from "../prometheus.ts"
import type { ToPrimary, ToWorker } from "./messages.ts"
import { createQuestions } from "./questions.ts"

const COLLECT_TIMEOUT_MS = 1000
/** The wait before a worker is replaced. It doubles with each failure. */
const BACKOFF_MS = { first: 100, last: 10_000 }
/** The end of a worker that ran this long is not counted as a failure to start. */
const HEALTHY_MS = 30_000

type Ready = Extract<ToPrimary, { type: "ready" }>

interface PoolOptions {
  readonly port: number
  readonly log: ServerOptions["log"]
  /** Returns the metrics of all processes. A worker asks for them when it is scraped. */
  collectAll(): Promise<readonly Metric[]>
}

/** The worker processes. The pool starts them, replaces those that end, collects their metrics and stops them. */
export class WorkerPool {
  readonly #options: PoolOptions
  readonly #workers = new Set<Worker>()
  readonly #slots = new Map<Worker, string>()
  readonly #stopped: LedgerStats[] = []
  readonly #questions = createQuestions<readonly Metric[]>(COLLECT_TIMEOUT_MS)
  #isStopping = false
  #failures = 0

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** Starts the workers. Rejects with the reason of the first one that cannot start. */
  async start(count: number): Promise<Ready> {
    // The first worker starts alone, because a problem that it has would stop all of them.
    const ready = await this.#fork()
    await Promise.all(Array.from({ length: count - 1 }, () => this.#fork()))
    return ready
  }

  /** Returns the directories of the journals of the workers that are ready. */
  slots(): ReadonlySet<string> {
    return new Set(this.#slots.values())
  }

  /** Returns the metrics of each worker that is ready. Those of a worker that does not answer in time are empty. */
  collect(): Promise<(readonly Metric[])[]> {
    const ask = (worker: Worker) => this.#questions.ask((id) => send(worker, { type: "collect", id }), [])
    return Promise.all([...this.#slots.keys()].map(ask))
  }

  /**
   * Stops all workers and kills them after `timeoutMs`. Returns the final numbers of those that stopped by themselves.
   */
  async stop(timeoutMs: number): Promise<readonly LedgerStats[]> {
    this.#isStopping = true
    const timer = setTimeout(() => this.kill(), timeoutMs)
    const exited = [...this.#workers].map((worker) => new Promise((resolve) => worker.once("exit", resolve)))
    for (const worker of this.#workers) send(worker, { type: "stop" })
    await Promise.all(exited)
    clearTimeout(timer)
    return this.#stopped
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
    return new Promise((resolve, reject) => {
      worker.on("error", () => {})
      worker.on("message", (message: ToPrimary) => {
        if (message.type === "ready") {
          isReady = true
          this.#slots.set(worker, message.slot)
          resolve(message)
        } else if (message.type === "failed") failure = message.message
        else this.#handle(worker, message)
      })
      worker.once("exit", (code, signal) => {
        const how = signal ?? `exit code ${code}`
        this.#workers.delete(worker)
        this.#slots.delete(worker)
        reject(new CommandError(failure ?? `a worker ended before it was ready (${how})`))
        if (this.#isStopping || !isReady) return
        if (performance.now() - startedAt > HEALTHY_MS) this.#failures = 0
        this.#options.log("error", `worker ${worker.process.pid} ended (${how}): starting another one`)
        this.#replace()
      })
    })
  }

  #handle(worker: Worker, message: Exclude<ToPrimary, { type: "ready" | "failed" }>): void {
    const { port, collectAll } = this.#options
    if (message.type === "online") send(worker, { type: "start", port })
    else if (message.type === "collected") this.#questions.answer(message.id, message.metrics)
    else if (message.type === "stopped") this.#stopped.push(message.stats)
    else void collectAll().then((metrics) => send(worker, { type: "collected-all", id: message.id, metrics }))
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
