import { join } from "node:path"
import type { Settings } from "../config/settings.ts"
import type { LogRecord } from "../core/call.ts"
import type { Rates } from "../core/cost.ts"
import type { Database } from "../database/_database.ts"
import { createKeyCache } from "../database/key-cache.ts"
import { ensureFirstKey, type NewKey } from "../database/keys.ts"
import { type LedgerStats, openLedger } from "../database/ledger/ledger.ts"
import { addLedgerStats, startRecovery } from "../database/ledger/recovery.ts"
import { openDatabase } from "../database/open.ts"
import { migrate } from "../database/schema.ts"
import type { Deps } from "../gateway/deps.ts"
import { createGateway } from "../gateway/handle.ts"
import { createScope } from "../kit/scope.ts"
import { claimSlot } from "../kit/slots.ts"
import { createSpillDirectory } from "../kit/spill-file.ts"
import { createPriceBook } from "../pricing/catalog.ts"
import { DIALECTS, findFormat } from "../providers/catalog.ts"
import { createTokenizer } from "../tokenizer/tokenizer.ts"
import { createApp } from "./app.ts"
import { addBodyStats, openBodies, startBodyRecovery } from "./bodies.ts"
import { drainRequests } from "./drain.ts"
import { checkPort, startListening } from "./listen.ts"
import { createMetrics } from "./metrics.ts"
import { createProbe } from "./probe.ts"
import { type Metric, toText } from "./prometheus.ts"
import { startRetention } from "./retention.ts"

/** Whatever the deadline, what is accepted gets this long to reach the database; the rest stays in the journal. */
const MIN_DRAIN_MS = 3000

export interface ServerOptions {
  readonly settings: Settings
  log(level: "info" | "warn" | "error", line: string): void
  /** Called after each row was handed to the ledger; must be quick. */
  onRecord(record: LogRecord): void
  /** Mints the key that is shown once, instead of the usual `Default`. */
  firstKey?(database: Database): Promise<NewKey | undefined>
  /** This process is one of several behind a port that their primary has bound. */
  readonly worker?: {
    readonly port: number
    /** The metrics of all processes, given this one's. */
    collectAll(own: readonly Metric[]): Promise<readonly Metric[]>
  }
}

export interface RunningServer {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly modelCount: number
  /** The key that was minted because there was none: shown once. */
  readonly firstKey: string | undefined
  /** accepted = written + waiting + rejected + dropped. */
  stats(): LedgerStats
  collect(): Metric[]
  /** For a process that ends at once: what was accepted is on the disk when this returns. */
  flushSync(): void
  /** Lets running requests finish, writes what was accepted, closes all. Says how the rows stand then. */
  stop(): Promise<LedgerStats>
}

/** Opens everything in order and wires it; what fails to open closes what was opened before it. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const scope = createScope()
  try {
    return await open(options, scope)
  } catch (error) {
    await scope.close().catch(() => {})
    throw error
  }
}

async function open(options: ServerOptions, scope: ReturnType<typeof createScope>): Promise<RunningServer> {
  const { settings, log, worker } = options
  let stopping = false
  if (!worker) await checkPort(settings.server.host, settings.server.port)

  const role = worker ? "worker" : "serve"
  const database = await openDatabase(settings.storage, { role, log: (line) => log("warn", line) })
  scope.own(() => database.close())
  if (!worker && settings.storage.autoMigrate) await migrate(database)
  const first = worker ? undefined : await (options.firstKey ?? ensureFirstKey)(database)

  const keys = await createKeyCache(database)
  scope.own(() => keys.close())

  const prices = await createPriceBook({
    ...settings.pricing,
    cacheFile: join(settings.storage.dataDir, "llm-prices.json"),
    providerPrices: toProviderPrices(settings),
    baseUrls: Object.fromEntries(Object.entries(settings.providers).map(([name, { baseUrl }]) => [name, baseUrl])),
    now: Date.now,
    log: (line) => log("warn", line),
  })
  scope.own(() => prices.close())
  prices.start()

  const journals = join(settings.storage.dataDir, "journal")
  const { dir, lock } = await claimSlot(journals)
  const bodyOwner = { settings, log, database }
  const bodies = await openBodies(bodyOwner)
  scope.own(() => bodies.close())

  const ledgerOptions = { db: database, settings: settings.ledger, now: Date.now, log }
  const onBatch = (rows: number, ms: number) => metrics.onBatch(rows, ms)
  const ledger = await openLedger({ ...ledgerOptions, dir, lock: async () => lock, onBatch })
  scope.own(() => ledger.close())
  // Of several processes the primary does it.
  const adoption = worker ? undefined : startRecovery({ ...ledgerOptions, root: journals })
  scope.own(() => adoption?.close())
  const bodyAdoption = worker ? undefined : startBodyRecovery(bodyOwner)
  scope.own(() => bodyAdoption?.close())
  const stats = () => (adoption ? addLedgerStats([ledger.stats(), adoption.stats()]) : ledger.stats())
  const metrics = createMetrics({
    ledger: stats,
    bodies: () => (bodies.name === "none" ? undefined : addBodyStats([bodies.stats(), bodyAdoption?.stats()])),
    gateway: () => ({ requests: gateway.openRequests(), ...gateway.counters }),
  })
  scope.own(() => metrics.close())

  const tokenizer = createTokenizer({ log: (line) => log("warn", line) })
  scope.own(() => tokenizer.close())

  const gateway = createGateway({
    settings: toGatewaySettings(settings),
    providers: toProviders(settings),
    dialects: DIALECTS,
    findCaller: keys.find,
    price: prices.price,
    ...(bodies.name === "none" ? {} : { openBodies: bodies.open }),
    spill: createSpillDirectory(join(settings.storage.dataDir, "arriving")),
    recordIntent: ledger.recordIntent,
    countText: tokenizer.count,
    record(record, onKept, when) {
      ledger.append(record, onKept, when)
      metrics.onRecord(record)
      options.onRecord(record)
    },
    isLedgerFull: ledger.isFull,
    isStopping: () => stopping,
    onError: (error, where) =>
      log("error", `internal error in ${where}: ${error instanceof Error ? error.stack : error}`),
  })
  scope.own(() => gateway.close())

  const retention = startRetention({ database, retentionMs: settings.logging.retentionMs, now: Date.now, log })
  scope.own(() => retention.close())

  const probe = createProbe({ database, isStopping: () => stopping, countWaiting: () => stats().waiting })
  const measured = async () => toText(worker ? await worker.collectAll(metrics.collect()) : metrics.collect())
  const { host, readTimeoutMs, shutdownTimeoutMs } = settings.server
  const port = worker?.port ?? settings.server.port
  const app = createApp(gateway, { ...probe, metrics: measured })
  let lastRequestAt = 0
  const answer: typeof app = (request, response) => {
    if (stopping) lastRequestAt = performance.now()
    app(request, response)
  }
  const listener = await startListening(answer, { host, port, readTimeoutMs, isWorker: worker !== undefined })

  async function stop() {
    stopping = true
    const deadline = Date.now() + shutdownTimeoutMs
    await drainRequests({ listener, gateway, timeoutMs: shutdownTimeoutMs, lastRequestAt: () => lastRequestAt })
    await tokenizer.settled()
    const drainMs = Math.max(MIN_DRAIN_MS, deadline - Date.now())
    await Promise.all([ledger.drain(drainMs), bodies.drain(drainMs)])
    await scope.close()
    return stats()
  }

  return {
    host: listener.host,
    port: listener.port,
    database: database.title,
    modelCount: prices.modelCount(),
    firstKey: first?.secret,
    stats,
    collect: metrics.collect,
    flushSync: ledger.flushSync,
    stop,
  }
}

function toProviders(settings: Settings): Deps["providers"] {
  return Object.fromEntries(
    Object.entries(settings.providers).map(([name, { baseUrl, format }]) => {
      // The settings were read with the catalog's formats, so there is a dialect of this name.
      return [name, { name, baseUrl, format: findFormat(format)! }]
    }),
  )
}

function toProviderPrices(settings: Settings): Readonly<Record<string, "free" | Readonly<Record<string, Rates>>>> {
  return Object.fromEntries(
    Object.entries(settings.providers).flatMap(([name, { prices }]) => (prices === undefined ? [] : [[name, prices]])),
  )
}

function toGatewaySettings({ server, upstream, logging, metadata }: Settings): Deps["settings"] {
  return {
    readTimeoutMs: server.readTimeoutMs,
    writeTimeoutMs: server.writeTimeoutMs,
    maxBodyBytes: server.maxBodyBytes,
    connectTimeoutMs: upstream.connectTimeoutMs,
    firstByteTimeoutMs: upstream.firstByteTimeoutMs,
    idleTimeoutMs: upstream.idleTimeoutMs,
    maxConnections: upstream.maxConnections,
    maxConnectionAgeMs: upstream.maxConnectionAgeMs,
    injectStreamUsage: logging.injectStreamUsage,
    maxMetadataKeys: metadata.maxKeys,
    maxMetadataValueLength: metadata.maxValueLength,
  }
}
