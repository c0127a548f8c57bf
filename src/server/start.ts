import { hostname } from "node:os"
import { version } from "../../package.json"
import type { BodyStore } from "../bodies/_store.ts"
import type { Settings } from "../config/settings.ts"
import { GATEWAY_ACTOR } from "../core/actor.ts"
import type { Database } from "../database/_database.ts"
import type { GatewayIdentity } from "../database/gateways.ts"
import type { NewKey } from "../database/key-rows.ts"
import { addLedgerStats } from "../database/ledger/accounts.ts"
import { type LedgerHandle, type LedgerOptions, type LedgerStats, openLedger } from "../database/ledger/ledger.ts"
import { addTotals, readStoredTotals } from "../database/ledger/life.ts"
import type { Gateway } from "../gateway/gateway.ts"
import { openInScope, type Scope } from "../kit/scope.ts"
import { discardKey } from "../operations/keys/create.ts"
import { openConfiguredReplica } from "../operations/open/replica.ts"
import { findStaleSince } from "../pricing/price-book.ts"
import { createTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts"
import { startDailyArchive } from "./archive.ts"
import { addBodyStats, openBodies } from "./bodies.ts"
import { toOwnBudget } from "./budget.ts"
import { createConnectionCounter } from "./connections.ts"
import { type Front, openFront } from "./front.ts"
import { wireGateway } from "./gateway.ts"
import { createLateRows } from "./late-rows.ts"
import { openLazyApi } from "./lazy-api.ts"
import { type OpenLimits, openLimits } from "./limits.ts"
import { checkPorts } from "./listen.ts"
import { toOtlpMetrics } from "./metrics/otlp.ts"
import { createUsageMetrics } from "./metrics/usage.ts"
import { createMetrics, type MetricSources } from "./metrics.ts"
import type { Notifications } from "./notifications/parts.ts"
import { openNotifications } from "./notifications.ts"
import type { ServerOptions } from "./options.ts"
import { type OtlpExport, openOtlpExport } from "./otlp-export.ts"
import { startPartitions } from "./partitions.ts"
import { startPastRuns } from "./past-runs.ts"
import { openPrices } from "./prices.ts"
import type { Metric } from "./prometheus.ts"
import { toReceiverMetrics } from "./receiver/metrics.ts"
import { openReceiver } from "./receiver/open.ts"
import { startDailyReconcile } from "./reconcile.ts"
import { startRecoveries, toJournalRoot } from "./recoveries.ts"
import { startRetention } from "./retention.ts"
import { claimOwnSlot, toSlotName } from "./slot.ts"
import { openStorage } from "./storage.ts"
import { openKeys } from "./vault.ts"

/** Describes this process to `keys revoke`. */
function toIdentity(slot: string, { server }: Settings): GatewayIdentity {
  return {
    name: `${hostname()}, process ${process.pid}, version ${version}`,
    slot: toSlotName(slot),
    offlineMs: server.maxKeyAgeMs,
  }
}

/** Accepted rows get at least this long to reach the database. The rest stays in the journal. */
const MIN_DRAIN_MS = 3000
/** Telemetry that waits gets at most this long to reach its receiver, because a stop is worth more. */
const MAX_FLUSH_MS = 5000

export interface RunningServer {
  readonly host: string
  readonly port: number
  /** The title of the database. */
  readonly database: string
  readonly modelCount: number
  /** The key that was created because there was none. It is shown once. */
  readonly firstKey: string | undefined
  /** Deletes the first key, because it could not be shown. */
  discardFirstKey(): Promise<void>
  /** accepted = written + waiting + rejected + dropped. */
  stats(): LedgerStats
  collect(): Metric[]
  /** Flushes all accepted rows to disk before it returns, for a process that exits at once. */
  flushSync(): void
  /**
   * Waits for running requests, writes the accepted rows and closes everything. Returns the final state of the rows.
   */
  stop(): Promise<LedgerStats>
}

/** A server with one journal. */
interface SingleServer extends RunningServer {
  /** The directory of its journal. */
  readonly slot: string
}

function discardFirstKey(database: Database, { key, secret }: NewKey): Promise<void> {
  return discardKey({ database, actor: GATEWAY_ACTOR }, { id: key.id, key: secret })
}

/** Opens all parts in order and wires them. When a part fails to open, closes the parts opened before it. */
export function startServer(options: ServerOptions): Promise<SingleServer> {
  return openInScope((scope) => open(options, scope))
}

type Told = ServerOptions & { readonly notifications: Notifications | undefined }

/** Opens what decides about requests. One connection hears of all changes. */
async function openKeysAndLimits(options: Told, database: Database, dir: string, scope: Scope) {
  const { settings, log, notifications } = options
  let limiting: OpenLimits | undefined
  const onLimits = (payload: string) => limiting?.onNotify(payload)
  const { keys, vault } = openKeys(options, database, { identity: toIdentity(dir, settings), onLimits }, scope)
  const slot = toSlotName(dir)
  limiting = await openLimits({ settings, log, database, slot, hearsChanges: keys.isTrusted, notifications }, scope)
  return { keys, vault, ...limiting }
}

/** Starts what one process of a gateway does beside requests: once a day, or once after an upgrade. */
function startOwnWork({ settings, log, notifications }: Told, database: Database, scope: Scope): void {
  const retention = startRetention({ database, retentionMs: settings.logging.retentionMs, now: Date.now, log })
  const reconcile = startDailyReconcile({ settings, database, now: Date.now, log, notifications })
  const archive = startDailyArchive({ settings, database, now: Date.now, log })
  const pastRuns = startPastRuns({ database, log })
  const partitions = startPartitions({ database, log })
  for (const part of [retention, reconcile, archive, pastRuns, partitions]) scope.own(() => part.close())
}

type Part = { close(): void | Promise<void> }

/** Returns a function that makes the scope close a part. The scope closes the parts in reverse order. */
function ownIn(scope: Scope) {
  return <T extends Part | undefined>(part: T): T => {
    if (part !== undefined) scope.own(() => part.close())
    return part
  }
}

/** How often the replica is looked at when nobody reads, so that the log and the metrics say how it is. */
const REPLICA_INTERVAL_MS = 2_000

/** Opens the replica of the settings. Only the admin API reads from it. */
function openReader({ settings, log }: Pick<Told, "settings" | "log">, database: Database) {
  if (!settings.admin.enabled) return undefined
  return openConfiguredReplica({ settings, database, log, intervalMs: REPLICA_INTERVAL_MS })
}

interface Drained {
  readonly front: Front
  readonly tokenizer: Tokenizer
  readonly ledger: Pick<LedgerHandle, "drain">
  readonly bodies: Pick<BodyStore, "drain">
  readonly otlp: OtlpExport | undefined
}

/** Waits for the running requests, and then for what they leave to be written, within `server.shutdown_timeout`. */
async function drain({ front, tokenizer, ledger, bodies, otlp }: Drained, shutdownTimeoutMs: number): Promise<void> {
  const deadline = Date.now() + shutdownTimeoutMs
  await front.drain(shutdownTimeoutMs)
  await tokenizer.settled()
  const leftMs = Math.max(MIN_DRAIN_MS, deadline - Date.now())
  await Promise.all([ledger.drain(leftMs), bodies.drain(leftMs), otlp?.close(MAX_FLUSH_MS)])
}

type OwnLedger = Omit<LedgerOptions, "settings" | "now" | "log">

function openOwnLedger({ settings, log }: Told, own: OwnLedger): Promise<LedgerHandle> {
  return openLedger({ ...own, settings: settings.ledger, now: Date.now, log })
}

/** The sums of the database are those of all workers, so that only one process reads them. */
function createUsageSource(worker: ServerOptions["worker"], database: Database): MetricSources["usage"] {
  return worker ? () => [] : createUsageMetrics(database, Date.now).collect
}

async function open(given: ServerOptions, scope: Scope): Promise<SingleServer> {
  const own = ownIn(scope)
  const sized = { ...given, settings: toOwnBudget(given.settings) }
  const { settings, log, worker } = sized
  let stopping = false
  const isStopping = () => stopping
  if (!worker) await checkPorts(settings)
  const { database, firstKey } = await openStorage(sized, scope)
  const notifications = own(await openNotifications({ settings, log, database, isWorker: worker !== undefined }))
  const options = { ...sized, notifications }
  const root = toJournalRoot(settings)
  const { dir, lock } = await claimOwnSlot(root)
  const { keys, vault, limits, rowHooks } = await openKeysAndLimits(options, database, dir, scope)
  const prices = own(await openPrices(options, database))
  const bodies = own(await openBodies({ settings, log, database }))
  const replica = own(openReader({ settings, log }, database))
  const otlp = await openOtlpExport({ settings, log }, scope)
  const late = own(createLateRows(database, [(...row) => metrics.onLate(...row), (row) => otlp?.onLate(row.record)]))
  const hooks = { ...rowHooks, onLate: late.add, onBatch: (rows: number, ms: number) => metrics.onBatch(rows, ms) }
  const ledger = own(await openOwnLedger(options, { db: database, dir, lock: async () => lock, ...hooks }))
  const recovery = worker ? undefined : startRecoveries({ settings, log, database, onLate: late.add }, scope)

  const stats = () => (recovery ? addLedgerStats([ledger.stats(), recovery.rows.stats()]) : ledger.stats())
  const connections = createConnectionCounter(settings.server)
  const sources: MetricSources = {
    ledger: stats,
    rows: () => addTotals([ledger.totals(), ...(worker ? [] : [readStoredTotals(root, new Set([dir]))])]),
    bodies: () => (bodies.name === "none" ? undefined : addBodyStats([bodies.stats(), recovery?.bodies.stats()])),
    gateway: () => ({ requests: gateway.openRequests(), ...gateway.counters }),
    connections: connections.stats,
    limits: () => limits.stats(),
    notifications: () => notifications?.stats(),
    usage: createUsageSource(worker, database),
    openTelemetry: () => [...toOtlpMetrics(otlp?.stats()), ...toReceiverMetrics(receiver?.stats())],
    pricesCheckedAt: () => findStaleSince(prices.checks()),
    replica: () => replica?.state(),
  }
  const metrics = own(createMetrics(sources, settings))
  const tokenizer = own(createTokenizer({ log: (line) => log("warn", line) }))
  const opened = { keys, vault, prices, bodies, ledger, limits, metrics, tokenizer, notifications, otlp }
  const gateway: Gateway = own(wireGateway(options, { ...opened, isStopping }))
  const receiver = openReceiver(options, { ...opened, isStopping })
  if (!worker) startOwnWork(options, database, scope)
  notifications?.watch(worker ? { prices } : { prices, stats })
  const probed = { database, stats, pricesCheckedAt: sources.pricesCheckedAt, replica: sources.replica, isStopping }
  const api = settings.admin.enabled ? own(openLazyApi({ settings, log, prices, replica })) : undefined
  const web = { api: api?.handle, isAdmitted: api?.isAdmitted, receiver, connections, collect: metrics.collect }
  const front = await openFront(options, { gateway, ...web, ...probed })

  async function stop(): Promise<LedgerStats> {
    stopping = true
    await drain({ front, tokenizer, ledger, bodies, otlp }, settings.server.shutdownTimeoutMs)
    await scope.close()
    return stats()
  }

  return {
    slot: dir,
    host: front.host,
    port: front.port,
    database: database.title,
    modelCount: prices.modelCount(),
    firstKey: firstKey?.secret,
    discardFirstKey: async () => void (firstKey && (await discardFirstKey(database, firstKey))),
    stats,
    collect: metrics.collect,
    flushSync: ledger.flushSync,
    stop,
  }
}
