import { availableParallelism } from "node:os"
import type { Settings } from "../../config/settings.ts"
import { deleteKey } from "../../database/keys.ts"
import { addLedgerStats } from "../../database/ledger/accounts.ts"
import type { LedgerStats } from "../../database/ledger/ledger.ts"
import { readStoredTotals } from "../../database/ledger/life.ts"
import { openInScope, type Scope } from "../../kit/scope.ts"
import { checkPort } from "../listen.ts"
import { createMetrics } from "../metrics.ts"
import type { ServerOptions } from "../options.ts"
import { combine, createFloor, type Metric } from "../prometheus.ts"
import { startRecoveries, toJournalRoot } from "../recoveries.ts"
import { startRetention } from "../retention.ts"
import type { RunningServer } from "../start.ts"
import { openStorage } from "../storage.ts"
import { WorkerPool } from "./pool.ts"

/** After the shutdown timeout, a worker has this long to write its rows and to exit. */
const EXIT_GRACE_MS = 8000

type PrimaryOptions = Omit<ServerOptions, "onRecord" | "worker">

/** Returns the number of processes that `server.workers` asks for. */
export function countWorkers({ server }: Settings): number {
  return server.workers === "auto" ? availableParallelism() : server.workers
}

/**
 * Starts workers that share one port, each with a journal of its own. This process owns the embedded database, recovers
 * what ended processes left behind, and replaces a worker that ends.
 */
export function startPrimary(options: PrimaryOptions): Promise<RunningServer> {
  return openInScope((scope) => open(options, scope))
}

async function open(options: PrimaryOptions, scope: Scope): Promise<RunningServer> {
  const { settings, log } = options
  const { host, shutdownTimeoutMs } = settings.server
  const port = await checkPort(host, settings.server.port)
  const { database, firstKey } = await openStorage(options, scope)

  let collectOwn = (): readonly Metric[] => []
  const keepFloor = createFloor()
  // Both are asked at the same moment, so that each journal is counted once: by its worker or from its file.
  const collectAll = async (): Promise<readonly Metric[]> =>
    keepFloor(combine([collectOwn(), ...(await pool.collect())]))
  const pool = new WorkerPool({ port, log, collectAll })
  scope.own(async () => void (await pool.stop(0)))
  const ready = await pool.start(countWorkers(settings))

  const recovery = startRecoveries({ settings, log, database }, scope)
  // Once for all workers.
  const retention = startRetention({ database, retentionMs: settings.logging.retentionMs, now: Date.now, log })
  scope.own(() => retention.close())
  const metrics = createMetrics({
    ledger: recovery.rows.stats,
    rows: () => readStoredTotals(toJournalRoot(settings), pool.slots()),
    bodies: recovery.bodies.stats,
    gateway: () => ({ requests: 0, streams: 0, metadataTruncated: 0 }),
  })
  scope.own(() => metrics.close())
  collectOwn = metrics.collect

  async function stop(): Promise<LedgerStats> {
    const stopped = await pool.stop(shutdownTimeoutMs + EXIT_GRACE_MS)
    await recovery.rows.close()
    const stats = addLedgerStats([...stopped, recovery.rows.stats()])
    await scope.close()
    return stats
  }

  return {
    host: ready.host,
    port: ready.port,
    database: database.title,
    modelCount: ready.modelCount,
    firstKey: firstKey?.secret,
    discardFirstKey: async () => firstKey && deleteKey(database, firstKey.secret),
    stats: recovery.rows.stats,
    collect: metrics.collect,
    flushSync: () => pool.kill(),
    stop,
  }
}
