import cluster, { type Worker } from "node:cluster"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import { ensureFirstKey } from "../../database/keys.ts"
import type { LedgerStats } from "../../database/ledger/ledger.ts"
import { addLedgerStats, startRecovery } from "../../database/ledger/recovery.ts"
import { openDatabase } from "../../database/open.ts"
import { migrate } from "../../database/schema.ts"
import { createScope, type Scope } from "../../kit/scope.ts"
import { startBodyRecovery } from "../bodies.ts"
import { checkPort } from "../listen.ts"
import { createMetrics } from "../metrics.ts"
import { combine, type Metric } from "../prometheus.ts"
import type { RunningServer, ServerOptions } from "../start.ts"
import type { ToPrimary, ToWorker } from "./messages.ts"

const COLLECT_TIMEOUT_MS = 1000
/** After its own deadline a worker has this long to write its rows and to end. */
const END_GRACE_MS = 8000
const BACKOFF_MS = { first: 100, last: 10_000 }
/** A worker that lived this long has not died of its start. */
const HEALTHY_MS = 30_000

/** How many processes `server.workers` means. */
export function countWorkers({ server }: Settings): number {
  return server.workers === "auto" ? availableParallelism() : server.workers
}

/**
 * Workers that share one port, each with a journal of its own; this process owns the embedded database, writes what
 * workers without a successor left behind, and starts a worker again that has ended.
 */
export async function startPrimary(options: Omit<ServerOptions, "onRecord" | "worker">): Promise<RunningServer> {
  const scope = createScope()
  try {
    return await open(options, scope)
  } catch (error) {
    await scope.close().catch(() => {})
    throw error
  }
}

type Ready = Extract<ToPrimary, { say: "ready" }>

async function open({ settings, log }: Omit<ServerOptions, "onRecord">, scope: Scope): Promise<RunningServer> {
  const { host, shutdownTimeoutMs } = settings.server
  const port = await checkPort(host, settings.server.port)
  const database = await openDatabase(settings.storage, { role: "serve", log: (line) => log("warn", line) })
  scope.own(() => database.close())
  if (settings.storage.autoMigrate) await migrate(database)
  const first = await ensureFirstKey(database)

  const crew = createCrew({ port, log })
  scope.own(async () => void (await crew.stop(0)))
  const ready = await crew.start(countWorkers(settings))

  const root = join(settings.storage.dataDir, "journal")
  const adoption = startRecovery({ db: database, root, settings: settings.ledger, now: Date.now, log })
  scope.own(() => adoption.close())
  const bodyAdoption = startBodyRecovery({ settings, log, database })
  scope.own(() => bodyAdoption.close())
  const metrics = createMetrics({
    ledger: adoption.stats,
    bodies: bodyAdoption.stats,
    gateway: () => ({ requests: 0, streams: 0, metadataTruncated: 0 }),
  })
  scope.own(() => metrics.close())
  crew.onAsking(async () => combine([metrics.collect(), ...(await crew.collect())]))

  async function stop(): Promise<LedgerStats> {
    const stopped = await crew.stop(shutdownTimeoutMs + END_GRACE_MS)
    await adoption.close()
    const stats = addLedgerStats([...stopped, adoption.stats()])
    await scope.close()
    return stats
  }

  return {
    host: ready.host,
    port: ready.port,
    database: database.title,
    modelCount: ready.modelCount,
    firstKey: first?.secret,
    stats: adoption.stats,
    collect: metrics.collect,
    flushSync: crew.kill,
    stop,
  }
}

/** The workers: started, started again, asked and ended. */
function createCrew({ port, log }: { readonly port: number; readonly log: ServerOptions["log"] }) {
  const present = new Set<Worker>()
  const stopped: LedgerStats[] = []
  const answers = new Map<string, (metrics: readonly Metric[]) => void>()
  let answerAsking: () => Promise<readonly Metric[]> = async () => []
  let isStopping = false
  let asked = 0
  let failures = 0

  /** Resolves when the worker listens; rejects when it ends before. */
  function fork(): Promise<Ready> {
    const worker = cluster.fork()
    const bornAt = performance.now()
    let refusal: string | undefined
    let isReady = false
    present.add(worker)
    return new Promise((resolve, reject) => {
      worker.on("error", () => {})
      worker.on("message", (message: ToPrimary) => {
        if (message.say === "hello") tell(worker, { say: "start", port })
        else if (message.say === "ready") {
          isReady = true
          resolve(message)
        } else if (message.say === "refused") refusal = message.message
        else if (message.say === "collected") answers.get(`${message.id} ${worker.id}`)?.(message.metrics)
        else if (message.say === "stopped") stopped.push(message.stats)
        else answerAsking().then((metrics) => tell(worker, { say: "all", id: message.id, metrics }))
      })
      worker.once("exit", (code, signal) => {
        present.delete(worker)
        reject(new CommandError(refusal ?? `a worker ended before it was ready (${signal ?? `exit code ${code}`})`))
        if (isStopping || !isReady) return
        if (performance.now() - bornAt > HEALTHY_MS) failures = 0
        log("error", `worker ${worker.process.pid} ended (${signal ?? `exit code ${code}`}): another takes its place`)
        replace()
      })
    })
  }

  function replace(): void {
    const waitMs = Math.min(BACKOFF_MS.first * 2 ** failures++, BACKOFF_MS.last)
    setTimeout(() => {
      if (isStopping) return
      fork().catch((error: Error) => {
        if (isStopping) return
        log("error", error.message)
        replace()
      })
    }, waitMs)
  }

  async function start(count: number): Promise<Ready> {
    // The first alone: what it cannot do, none of them can.
    const ready = await fork()
    await Promise.all(Array.from({ length: count - 1 }, fork))
    return ready
  }

  function collect(): Promise<(readonly Metric[])[]> {
    const id = asked++
    return Promise.all(
      [...present].map(
        (worker) =>
          new Promise<readonly Metric[]>((resolve) => {
            const key = `${id} ${worker.id}`
            const settle = (metrics: readonly Metric[]) => {
              clearTimeout(timer)
              answers.delete(key)
              resolve(metrics)
            }
            const timer = setTimeout(settle, COLLECT_TIMEOUT_MS, [])
            answers.set(key, settle)
            tell(worker, { say: "collect", id })
          }),
      ),
    )
  }

  async function stop(patienceMs: number): Promise<readonly LedgerStats[]> {
    isStopping = true
    const timer = setTimeout(kill, patienceMs)
    const exited = [...present].map((worker) => new Promise((resolve) => worker.once("exit", resolve)))
    for (const worker of present) tell(worker, { say: "stop" })
    await Promise.all(exited)
    clearTimeout(timer)
    return stopped
  }

  function kill(): void {
    isStopping = true
    for (const worker of present) worker.process.kill("SIGKILL")
  }

  return {
    start,
    collect,
    stop,
    kill,
    onAsking: (answer: typeof answerAsking) => {
      answerAsking = answer
    },
  }
}

function tell(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => {})
}
