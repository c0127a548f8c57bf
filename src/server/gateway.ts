import { join } from "node:path"
import type { BodyStore } from "../bodies/index.ts"
import type { Settings } from "../config/settings.ts"
import { isRunningJob } from "../core/job.ts"
import type { RequestLimits } from "../core/limit-reservation.ts"
import type { KeyCache } from "../database/key-cache.ts"
import type { LedgerHandle } from "../database/ledger/ledger.ts"
import type { Deps } from "../gateway/deps.ts"
import type { Gateway } from "../gateway/gateway.ts"
import { createGateway } from "../gateway/pipeline.ts"
import type { RecordedRequest } from "../gateway/proxied-request.ts"
import { createSpillDirectory } from "../kit/spill-file.ts"
import type { PriceBook } from "../pricing/price-book.ts"
import { DIALECTS, findFormat } from "../providers/catalog.ts"
import type { Tokenizer } from "../tokenizer/tokenizer.ts"
import { createAuthorizer } from "../vault/authorize.ts"
import { createAwsClock } from "../vault/aws-clock.ts"
import type { CredentialStore } from "../vault/store.ts"
import type { Metrics } from "./metrics.ts"
import { createModelLists } from "./model-lists.ts"
import type { Notifications } from "./notifications/parts.ts"
import type { ServerOptions } from "./options.ts"
import { exportsSpans, type OtlpExport } from "./otlp-export.ts"
import { createSpillReport } from "./spill-report.ts"

/** The opened parts that the pipeline uses. */
interface GatewayParts {
  readonly keys: KeyCache
  readonly vault: CredentialStore
  readonly prices: PriceBook
  readonly bodies: BodyStore
  readonly ledger: LedgerHandle
  readonly limits: RequestLimits
  readonly metrics: Metrics
  readonly tokenizer: Tokenizer
  readonly notifications: Notifications | undefined
  readonly otlp: OtlpExport | undefined
  isStopping(): boolean
}

/** Wires the pipeline to the parts of the server. */
export function wireGateway({ settings, log, onRecord }: ServerOptions, parts: GatewayParts): Gateway {
  const { keys, vault, prices, bodies, ledger, limits, metrics, tokenizer, notifications, otlp, isStopping } = parts
  const awsClock = createAwsClock({ now: Date.now, warn: (line) => log("warn", line) })
  const spillDir = join(settings.storage.dataDir, "spill")
  return createGateway({
    settings: toGatewaySettings(settings),
    providers: toProviders(settings),
    dialects: DIALECTS,
    findCaller: keys.find,
    findCredential: vault.find,
    authorize: createAuthorizer({ proxies: settings.upstream.proxies, now: Date.now, awsNow: awsClock.now }),
    noteAwsDate: awsClock.correct,
    price: prices.price,
    pricesVersion: prices.version,
    boundsOf: prices.boundsOf,
    ...(settings.server.models === "own" && {
      listModels: createModelLists({ prices, now: Date.now, canSupply: vault.canSupply }),
    }),
    ...(bodies.name === "none" ? {} : { openBodies: bodies.open, openMessages: bodies.openMessages }),
    spill: createSpillDirectory(spillDir),
    onSpillError: createSpillReport(spillDir, log),
    countText: tokenizer.count,
    ledger,
    limits,
    subscribers: [
      ({ record, caller, job }) => metrics.onRecord(record, caller.keyName, isRunningJob(job)),
      ({ record }) => onRecord(record),
      ...(notifications === undefined ? [] : [({ record }: RecordedRequest) => notifications.onRecord(record)]),
      ...(otlp ? [otlp.onRequest] : []),
    ],
    isStopping,
    onError: (error, where) =>
      log("error", `internal error in ${where}: ${error instanceof Error ? error.stack : error}`),
  })
}

function toProviders(settings: Settings): Deps["providers"] {
  return Object.fromEntries(
    Object.entries(settings.providers).map(([name, { baseUrl, format, region, regions, billing, models }]) => {
      // The settings were loaded with the catalog's formats, so there is a dialect of this name.
      const known = models && new Map(Object.entries(models))
      return [name, { name, baseUrl, format: findFormat(format)!, region, regions, billing, models: known }]
    }),
  )
}

function toGatewaySettings(settings: Settings): Deps["settings"] {
  const { server, upstream, logging, metering, metadata, websockets, telemetry } = settings
  return {
    readTimeoutMs: server.readTimeoutMs,
    writeTimeoutMs: server.writeTimeoutMs,
    maxBodyBytes: server.maxBodyBytes,
    connectTimeoutMs: upstream.connectTimeoutMs,
    firstByteTimeoutMs: upstream.firstByteTimeoutMs,
    idleTimeoutMs: upstream.idleTimeoutMs,
    maxConnections: upstream.maxConnections,
    queueTimeoutMs: upstream.queueTimeoutMs,
    maxConnectionAgeMs: upstream.maxConnectionAgeMs,
    proxies: upstream.proxies,
    injectStreamUsage: logging.injectStreamUsage,
    rewriteResultUrls: metering.rewriteResultUrls,
    foreignJobs: metering.foreignJobs,
    receivesReports: telemetry.receiver.enabled,
    describesRequests: exportsSpans(telemetry),
    maxMetadataKeys: metadata.maxKeys,
    maxMetadataValueLength: metadata.maxValueLength,
    attribution: metadata,
    websockets,
  }
}
