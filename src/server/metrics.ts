import type { BodyStats } from "../bodies/index.ts"
import type { LogRecord } from "../core/log-record.ts"
import type { LateRow } from "../database/ledger/late.ts"
import type { LedgerStats } from "../database/ledger/ledger.ts"
import type { Totals } from "../database/ledger/totals.ts"
import type { ReplicaState } from "../database/replica/replica.ts"
import type { SocketCounters } from "../gateway/sockets/counters.ts"
import type { LimitStats } from "../limits/index.ts"
import { toBodyMetrics } from "./body-metrics.ts"
import type { ConnectionStats } from "./connections.ts"
import { toConnectionMetrics } from "./metrics/connections.ts"
import { toGatewayMetrics } from "./metrics/gateway.ts"
import { createBatchMetrics, toLedgerMetrics } from "./metrics/ledger.ts"
import { toLimitMetrics } from "./metrics/limits.ts"
import { toNotificationMetrics } from "./metrics/notifications.ts"
import { createProcessMetrics } from "./metrics/process.ts"
import { toReplicaMetrics } from "./metrics/replica.ts"
import { RequestMetrics, type RequestMetricsOptions } from "./metrics/requests.ts"
import { type RunningRequests, toRunningMetrics } from "./metrics/running.ts"
import { toSocketMetrics } from "./metrics/sockets.ts"
import type { NotificationStats } from "./notifications/parts.ts"
import type { Metric } from "./prometheus.ts"

/** The metrics of one process. */
export interface Metrics {
  /**
   * @param keyName the name of the API key of the request
   * @param isRunning its work goes on in the background: what it costs comes by `onLate`
   */
  onRecord(record: LogRecord, keyName: string | undefined, isRunning?: boolean): void
  /** Counts what became known of a request after its answer. */
  onLate(row: LateRow, keyName: string | undefined): void
  /** Must be called after each batch of rows, whether it was written or rejected. */
  onBatch(rows: number, ms: number): void
  /** Returns the current values. */
  collect(): Metric[]
  close(): void
}

/** The parts of the server whose numbers are read at each scrape. */
export interface MetricSources {
  ledger(): LedgerStats
  /** The counts of rows that this process reports, over the life of their journals. */
  rows(): Totals
  /** Undefined when no bodies are stored. */
  bodies(): BodyStats | undefined
  gateway(): RunningRequests & { readonly sockets: SocketCounters }
  connections(): ConnectionStats
  limits(): readonly LimitStats[]
  /** Undefined without channels. */
  notifications(): NotificationStats | undefined
  /** The spending that the database has. */
  usage(): readonly Metric[]
  /** The metrics of OpenTelemetry: of what is exported and received. */
  openTelemetry(): readonly Metric[]
  /** When the price list that was fetched the longest ago was fetched. */
  pricesCheckedAt(): number | undefined
  /** Undefined without a replica. */
  replica(): ReplicaState | undefined
}

interface MetricsSettings {
  readonly telemetry: RequestMetricsOptions
  /** This process's part of `ledger.max_journal_size`; 0 for a process without a journal of its own. */
  readonly ledger: { readonly maxJournalBytes: number }
}

/**
 * Names and labels are bounded by the configuration and by HTTP, but those of the requests, which clients choose too:
 * `metrics/series.ts` limits them.
 */
export function createMetrics(
  sources: MetricSources,
  { telemetry, ledger: { maxJournalBytes } }: MetricsSettings,
): Metrics {
  const { ledger, rows, gateway, bodies, connections, limits, notifications, openTelemetry, pricesCheckedAt } = sources
  const { usage, replica } = sources
  const requests = new RequestMetrics(telemetry)
  const batches = createBatchMetrics()
  const ownProcess = createProcessMetrics()
  return {
    onRecord: (record, keyName, isRunning) => requests.onRecord(record, keyName, isRunning),
    onLate: (row, keyName) => requests.onLate(row, keyName),
    onBatch: batches.onBatch,
    collect: () => [
      ...toGatewayMetrics(pricesCheckedAt()),
      ...requests.collect(),
      ...usage(),
      ...toRunningMetrics(gateway(), gateway().sockets.open),
      ...toSocketMetrics(gateway().sockets),
      ...toConnectionMetrics(connections()),
      ...toLimitMetrics(limits()),
      ...toNotificationMetrics(notifications()),
      ...openTelemetry(),
      ...toLedgerMetrics(ledger(), rows(), maxJournalBytes),
      ...batches.collect(),
      ...toReplicaMetrics(replica()),
      ...toBodyMetrics(bodies()),
      ...ownProcess.collect(),
    ],
    close: ownProcess.close,
  }
}
