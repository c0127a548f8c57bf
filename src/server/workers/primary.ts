import type { Database } from "../../database/_database.ts"
import { discardSecret } from "../../database/key-secrets.ts"
import { addLedgerStats } from "../../database/ledger/accounts.ts"
import type { LedgerStats } from "../../database/ledger/ledger.ts"
import { readStoredTotals } from "../../database/ledger/life.ts"
import { createCounters } from "../../gateway/counters.ts"
import { openInScope, type Scope } from "../../kit/scope.ts"
import { countWorkers } from "../budget.ts"
import { createLateRows } from "../late-rows.ts"
import { checkPorts } from "../listen.ts"
import { createUsageMetrics } from "../metrics/usage.ts"
import { createZeroStart } from "../metrics/zero-start.ts"
import { createMetrics, type Metrics } from "../metrics.ts"
import type { Notifications } from "../notifications/parts.ts"
import { openNotifications } from "../notifications.ts"
import type { ServerOptions } from "../options.ts"
import { startPartitions } from "../partitions.ts"
import { startPastRuns } from "../past-runs.ts"
import type { Metric } from "../prometheus.ts"
import { startDailyReconcile } from "../reconcile.ts"
import { startRecoveries, toJournalRoot } from "../recoveries.ts"
import { startRetention } from "../retention.ts"
import type { RunningServer } from "../start.ts"
import { openStorage } from "../storage.ts"
import { WorkerPool } from "./pool.ts"

/** After the shutdown timeout, a worker has this long to write its rows and to exit. */
const EXIT_GRACE_MS = 8000

type PrimaryOptions = Omit<ServerOptions, "onRecord" | "worker">

/**
 * Starts workers that share one port, each with a journal of its own. This process owns the embedded database, recovers
 * what ended processes left behind, and replaces a worker that ends.
 */
export function startPrimary(options: PrimaryOptions): Promise<RunningServer> {
  return openInScope((scope) => open(options, scope))
}

interface MetricParts {
  readonly settings: PrimaryOptions["settings"]
  readonly database: Database
  readonly recovery: ReturnType<typeof startRecoveries>
  readonly pool: WorkerPool
  readonly notifications: Notifications | undefined
}

/** Creates the metrics of what the primary process does itself. */
function createOwnMetrics({ settings, database, recovery, pool, notifications }: MetricParts): Metrics {
  return createMetrics(
    {
      ledger: recovery.rows.stats,
      rows: () => readStoredTotals(toJournalRoot(settings), pool.slots()),
      bodies: recovery.bodies.stats,
      // The workers have all connections, requests and price lists.
      gateway: () => ({ requests: 0, ...createCounters() }),
      connections: () => ({ open: 0, rejectedInAll: 0, rejectedPerAddress: 0 }),
      limits: () => [],
      notifications: () => notifications?.stats(),
      usage: createUsageMetrics(database, Date.now).collect,
      openTelemetry: () => [],
      pricesCheckedAt: () => undefined,
      replica: () => undefined,
    },
    { ...settings, ledger: { maxJournalBytes: 0 } },
  )
}

async function open(options: PrimaryOptions, scope: Scope): Promise<RunningServer> {
  const { settings, log } = options
  const { shutdownTimeoutMs } = settings.server
  const port = await checkPorts(settings)
  const { database, firstKey } = await openStorage(options, scope)

  const notifications = await openNotifications({ settings, log, database, isWorker: false })
  scope.own(() => notifications?.close())
  let collectOwn = (): readonly Metric[] => []
  // Both are asked at the same moment, so that each journal is counted once: by its worker or from its file.
  const collectAll = async (isScrape: boolean): Promise<readonly Metric[]> => {
    const all = await pool.collect(collectOwn())
    return isScrape ? zeroStart(all) : all
  }
  const zeroStart = createZeroStart()
  const pool = new WorkerPool({ port, settings, log, collectAll })
  scope.own(() => pool.stop(0))
  const ready = await pool.start(countWorkers(settings))

  const late = createLateRows(database, [(...row) => metrics.onLate(...row)])
  scope.own(() => late.close())
  const recovery = startRecoveries({ settings, log, database, onLate: late.add }, scope)
  // Once for all workers.
  const retention = startRetention({ database, retentionMs: settings.logging.retentionMs, now: Date.now, log })
  const pastRuns = startPastRuns({ database, log })
  const partitions = startPartitions({ database, log })
  const reconcile = startDailyReconcile({ settings, database, now: Date.now, log, notifications })
  for (const part of [retention, pastRuns, partitions, reconcile]) scope.own(() => part.close())
  const metrics = createOwnMetrics({ settings, database, recovery, pool, notifications })
  scope.own(() => metrics.close())
  collectOwn = metrics.collect

  const stats = () => addLedgerStats([pool.stats(), recovery.rows.stats()])
  notifications?.watch({ stats })

  async function stop(): Promise<LedgerStats> {
    await pool.stop(shutdownTimeoutMs + EXIT_GRACE_MS)
    await scope.close()
    return stats()
  }

  return {
    host: ready.host,
    port: ready.port,
    database: database.title,
    modelCount: ready.modelCount,
    firstKey: firstKey?.secret,
    discardFirstKey: async () => {
      if (firstKey) await discardSecret(database, firstKey.secret)
    },
    stats,
    collect: metrics.collect,
    flushSync: () => pool.kill(),
    stop,
  }
}
