import type { BodyStats } from "../bodies/index.ts"
import type { LogRecord } from "../core/log-record.ts"
import type { LedgerStats } from "../database/ledger/ledger.ts"
import type { Totals } from "../database/ledger/totals.ts"
import type { SocketCounters } from "../gateway/sockets/counters.ts"
import type { LimitStats } from "../limits/index.ts"
import { toBodyMetrics } from "./body-metrics.ts"
import type { ConnectionStats } from "./connections.ts"
import { toConnectionMetrics } from "./metrics/connections.ts"
import { createBatchMetrics, toLedgerMetrics } from "./metrics/ledger.ts"
import { toLimitMetrics } from "./metrics/limits.ts"
import { createProcessMetrics } from "./metrics/process.ts"
import { createRequestCounter, type RunningRequests, toRunningMetrics } from "./metrics/requests.ts"
import { toSocketMetrics } from "./metrics/sockets.ts"
import type { Metric } from "./prometheus.ts"

/** The metrics of one process. */
export interface Metrics {
  onRecord(record: LogRecord): void
  /** Must be called after each batch of rows, whether it was written or rejected. */
  onBatch(rows: number, ms: number): void
  /** Returns the current values. */
  collect(): Metric[]
  close(): void
}

/** The parts of the server whose numbers are read at each scrape. */
interface MetricSources {
  ledger(): LedgerStats
  /** The counts of rows that this process reports, over the life of their journals. */
  rows(): Totals
  /** Undefined when no bodies are stored. */
  bodies(): BodyStats | undefined
  gateway(): RunningRequests & { readonly sockets: SocketCounters }
  connections(): ConnectionStats
  limits(): readonly LimitStats[]
  /** The metrics of OpenTelemetry: of what is exported and received. */
  telemetry?(): readonly Metric[]
}

/** Names and labels are bounded by the configuration and by HTTP. Nothing that a client sends becomes a label. */
export function createMetrics(sources: MetricSources): Metrics {
  const { ledger, rows, gateway, bodies, connections, limits, telemetry } = sources
  const requests = createRequestCounter()
  const batches = createBatchMetrics()
  const ownProcess = createProcessMetrics()
  return {
    onRecord: requests.onRecord,
    onBatch: batches.onBatch,
    collect: () => [
      ...toLedgerMetrics(ledger(), rows()),
      ...batches.collect(),
      ...toBodyMetrics(bodies()),
      ...toRunningMetrics(gateway(), gateway().sockets.open),
      ...toSocketMetrics(gateway().sockets),
      ...toConnectionMetrics(connections()),
      ...toLimitMetrics(limits()),
      ...(telemetry?.() ?? []),
      requests.collect(),
      ...ownProcess.collect(),
    ],
    close: ownProcess.close,
  }
}
