import { join } from "node:path"
import { type BodyStore, openBodyStore } from "../bodies/index.ts"
import type { Settings } from "../config/settings.ts"
import type { LogRecord } from "../core/call.ts"
import type { Rates } from "../core/cost.ts"
import type { Database } from "../database/_database.ts"
import { createKeyCache } from "../database/key-cache.ts"
import { ensureFirstKey } from "../database/keys.ts"
import { openLedger } from "../database/logs.ts"
import { openDatabase } from "../database/open.ts"
import { migrate } from "../database/schema.ts"
import type { Deps } from "../gateway/deps.ts"
import { createGateway, type Gateway } from "../gateway/handle.ts"
import { createScope } from "../kit/scope.ts"
import { createPriceBook } from "../pricing/catalog.ts"
import { DIALECTS } from "../providers/index.ts"
import { createTokenizer } from "../tokenizer/tokenizer.ts"
import { createApp } from "./app.ts"
import { checkPort, type Listener, startListening } from "./listen.ts"
import { createProbe } from "./probe.ts"

/** Whatever the deadline, what is accepted gets this long to reach the database; the rest stays in the journal. */
const MIN_DRAIN_MS = 3000

export interface ServerOptions {
  readonly settings: Settings
  log(level: "info" | "warn" | "error", line: string): void
  /** Called after each row was handed to the ledger; must be quick. */
  onRecord(record: LogRecord): void
}

export interface RunningServer {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly modelCount: number
  /** The key that was minted because there was none: shown once. */
  readonly firstKey: string | undefined
  /** Lets running requests finish, writes what was accepted, closes all. Says what could not be written. */
  stop(): Promise<{ readonly written: number; readonly waiting: number }>
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
  const { settings, log } = options
  let stopping = false
  await checkPort(settings.server.host, settings.server.port)

  const database = await openDatabase(settings.storage, { role: "serve", log: (line) => log("warn", line) })
  scope.own(() => database.close())
  if (settings.storage.autoMigrate) await migrate(database)
  const first = await ensureFirstKey(database)

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

  const bodies = await openBodies(options, database, join(settings.storage.dataDir, "bodies"))
  scope.own(() => bodies.close())

  const ledger = await openLedger({
    db: database,
    dir: join(settings.storage.dataDir, "journal"),
    settings: settings.ledger,
    now: Date.now,
    log,
  })
  scope.own(() => ledger.close())

  const tokenizer = createTokenizer({ log: (line) => log("warn", line) })
  scope.own(() => tokenizer.close())

  const gateway = createGateway({
    settings: toGatewaySettings(settings),
    providers: toProviders(settings),
    dialects: DIALECTS,
    findCaller: keys.find,
    price: prices.price,
    ...(bodies.name === "none" ? {} : { openBodies: bodies.open }),
    begin: ledger.begin,
    countText: tokenizer.count,
    record(record, onKept) {
      ledger.append(record, onKept)
      options.onRecord(record)
    },
    isRefusing: ledger.isFull,
    isStopping: () => stopping,
    onError: (error, where) =>
      log("error", `internal error in ${where}: ${error instanceof Error ? error.stack : error}`),
  })
  scope.own(() => gateway.close())


  const probe = createProbe(database, () => stopping)
  const { host, port, readTimeoutMs, shutdownTimeoutMs } = settings.server
  const listener = await startListening(createApp(gateway, probe), { host, port, readTimeoutMs })

  async function stop() {
    stopping = true
    const deadline = Date.now() + shutdownTimeoutMs
    await finishRequests(listener, gateway, shutdownTimeoutMs)
    await tokenizer.settled()
    const drainMs = Math.max(MIN_DRAIN_MS, deadline - Date.now())
    const [{ waiting }] = await Promise.all([ledger.drain(drainMs), bodies.drain(drainMs)])
    const { written } = ledger.stats()
    await scope.close()
    return { written, waiting }
  }

  return {
    host: listener.host,
    port: listener.port,
    database: database.title,
    modelCount: prices.modelCount(),
    firstKey: first?.secret,
    stop,
  }
}

function openBodies({ settings, log }: ServerOptions, database: Database, dir: string): Promise<BodyStore> {
  const { logging, s3, ledger } = settings
  return openBodyStore({
    storage: logging.bodyStorage === "none" && s3.enabled ? "s3" : logging.bodyStorage,
    storeRequestBody: logging.storeRequestBody,
    storeResponseBody: logging.storeResponseBody,
    maxBodyBytes: logging.maxBodyBytes,
    redact: logging.redact,
    s3,
    dir,
    maxDiskBytes: ledger.maxJournalBytes,
    syncIntervalMs: ledger.syncIntervalMs,
    async forget(ids) {
      const text = "UPDATE llm_requests SET s3_key = NULL WHERE id = ANY($1::uuid[]) RETURNING id"
      return (await database.query<{ id: string }>({ text, values: [ids] })).rows.map(({ id }) => id)
    },
    log,
  })
}

/** No new connection; the running answers end by themselves or, at the deadline, are cut. */
async function finishRequests(listener: Listener, gateway: Gateway, timeoutMs: number): Promise<void> {
  const closed = listener.close()
  const timer = setTimeout(() => listener.cutAll(), timeoutMs)
  // A kept-alive connection that is idle would hold the listener open until its own timeout.
  const idle = setInterval(() => gateway.open() === 0 && listener.cutAll(), 20)
  await closed
  clearTimeout(timer)
  clearInterval(idle)
}

function toProviders(settings: Settings): Deps["providers"] {
  return Object.fromEntries(Object.entries(settings.providers).map(([name, provider]) => [name, { name, ...provider }]))
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
    injectStreamUsage: logging.injectStreamUsage,
    maxMetadataKeys: metadata.maxKeys,
    maxMetadataValueLength: metadata.maxValueLength,
  }
}
