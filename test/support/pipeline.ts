import type { Cost, PriceQuery } from "../../src/core/cost.ts"
import { hashKey } from "../../src/core/key.ts"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Deps } from "../../src/gateway/deps.ts"
import type { Gateway } from "../../src/gateway/gateway.ts"
import { createGateway } from "../../src/gateway/pipeline.ts"
import type { GatewaySettings } from "../../src/gateway/settings.ts"
import { DIALECTS, type Provider } from "../../src/providers/catalog.ts"
import { startListening } from "../../src/server/listen.ts"
import { HANG_MS } from "./until.ts"

export const KEY = "mdm_sk_test_0123456789abcdefghijklmnop"
const KEY_ID = "00000000-0000-7000-8000-000000000001"

/** A test of a timeout sets it. In all others, the machine may take its time. */
const SETTINGS: GatewaySettings = {
  readTimeoutMs: HANG_MS,
  writeTimeoutMs: HANG_MS,
  maxBodyBytes: 10 * 1024 * 1024,
  connectTimeoutMs: HANG_MS,
  firstByteTimeoutMs: HANG_MS,
  idleTimeoutMs: HANG_MS,
  maxConnections: 16,
  queueTimeoutMs: HANG_MS,
  maxConnectionAgeMs: 300_000,
  injectStreamUsage: true,
  rewriteResultUrls: true,
  foreignJobs: false,
  maxMetadataKeys: 32,
  maxMetadataValueLength: 1024,
  attribution: { client: true, user: true, session: true, trace: true },
  websockets: { enabled: true, idleTimeoutMs: HANG_MS, maxAgeMs: 24 * 3_600_000, maxOpen: 10_000 },
}

const PRICED: Cost = {
  status: "exact",
  inputCost: "0.0001",
  outputCost: "0.0002",
  totalCost: "0.0003",
  price: undefined,
}

export interface Pipeline {
  readonly origin: string
  readonly port: number
  readonly gateway: Gateway
  readonly records: readonly LogRecord[]
  /** Resolves with the next row that no earlier call returned, as soon as it exists. */
  nextRecord(): Promise<LogRecord>
  close(): Promise<void>
}

/** Starts the pipeline behind a real listener, without a database: keys, prices and rows are functions of the test. */
export async function startPipeline(options: {
  readonly upstream: string
  readonly settings?: Partial<GatewaySettings>
  readonly providers?: Readonly<Record<string, Provider>>
  readonly findCaller?: (keyHash: string) => { keyId: string } | undefined | Promise<{ keyId: string } | undefined>
  readonly price?: (question: PriceQuery) => Cost
  readonly countText?: Deps["countText"]
  /** Methods that replace those of the ledger, which only keeps the rows for the test. */
  readonly ledger?: Partial<Deps["ledger"]>
  /** Any other dependency that the test replaces. */
  readonly deps?: Partial<Deps>
}): Promise<Pipeline> {
  const records: LogRecord[] = []
  const untaken: LogRecord[] = []
  const waiting: ((record: LogRecord) => void)[] = []
  const errors: unknown[] = []
  const known = hashKey(KEY)
  const provider = (name: string, format: Provider["format"]) => ({ name, format, baseUrl: options.upstream })
  const gateway = createGateway({
    settings: { ...SETTINGS, ...options.settings },
    providers: options.providers ?? {
      openai: provider("openai", "openai"),
      anthropic: provider("anthropic", "anthropic"),
      bedrock: provider("bedrock", "bedrock"),
      gemini: provider("gemini", "gemini"),
    },
    dialects: DIALECTS,
    findCaller: options.findCaller ?? ((hash) => (hash === known ? { keyId: KEY_ID } : undefined)),
    price: options.price ?? (() => PRICED),
    ...(options.countText && { countText: options.countText }),
    ledger: {
      append(record, onStored) {
        records.push(record)
        onStored?.()
        const take = waiting.shift()
        if (take) take(record)
        else untaken.push(record)
      },
      isFull: () => false,
      ...options.ledger,
    },
    subscribers: [],
    isStopping: () => false,
    onError: (error) => void errors.push(error),
    ...options.deps,
  })
  const listener = await startListening((request, response) => gateway.handle(request, response), {
    host: "127.0.0.1",
    port: 0,
    readTimeoutMs: options.settings?.readTimeoutMs ?? SETTINGS.readTimeoutMs,
    writeTimeoutMs: options.settings?.writeTimeoutMs ?? SETTINGS.writeTimeoutMs,
    isWorker: true,
  })
  const { port } = listener
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    gateway,
    records,
    nextRecord: () => {
      const record = untaken.shift()
      return record ? Promise.resolve(record) : new Promise((resolve) => waiting.push(resolve))
    },
    async close() {
      listener.closeConnections()
      await listener.close()
      await gateway.close()
      if (errors.length > 0) throw errors[0]
    },
  }
}
