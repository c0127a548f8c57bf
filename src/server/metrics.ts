import { monitorEventLoopDelay } from "node:perf_hooks"
import type { BodyStats } from "../bodies/index.ts"
import type { LogRecord } from "../core/log-record.ts"
import type { LedgerStats } from "../database/ledger/ledger.ts"
import { toBodyMetrics } from "./body-metrics.ts"
import { counter, createHistogram, gauge, type Metric, type Sample } from "./prometheus.ts"

const BATCH_ROWS = [1, 10, 50, 100, 250, 500, 1000, 2500]
const WRITE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15]
const LAG_RESOLUTION_MS = 20

/** What one process counts while it runs. */
export interface Metrics {
  onRecord(record: LogRecord): void
  /** A batch of rows was settled. */
  onBatch(rows: number, ms: number): void
  /** The present numbers. */
  collect(): Metric[]
  close(): void
}

export interface Measured {
  ledger(): LedgerStats
  /** undefined: no bodies are kept. */
  bodies(): BodyStats | undefined
  gateway(): { readonly requests: number; readonly streams: number; readonly metadataTruncated: number }
}

/** Names and their labels are bounded by the configuration and by HTTP; nothing that a client sends becomes a label. */
export function createMetrics({ ledger, gateway, bodies }: Measured): Metrics {
  const requests = new Map<string, { provider: string; status: string; count: number }>()
  const batchRows = createHistogram(BATCH_ROWS)
  const writeSeconds = createHistogram(WRITE_SECONDS)
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  lag.enable()

  function onRecord({ provider, status_code }: LogRecord): void {
    const status = status_code >= 100 && status_code <= 599 ? String(status_code) : "other"
    const key = `${status} ${provider}`
    const entry = requests.get(key)
    if (entry) entry.count++
    else requests.set(key, { provider, status, count: 1 })
  }

  function onBatch(rows: number, ms: number): void {
    batchRows.observe(rows)
    writeSeconds.observe(ms / 1000)
  }

  function collect(): Metric[] {
    const { accepted, written, waiting, rejected, dropped, journalBytes } = ledger()
    const { requests: open, streams, metadataTruncated } = gateway()
    const { rss } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    return [
      counter(
        "majordomo_rows_accepted_total",
        "Rows handed to the ledger: written + waiting + rejected + dropped.",
        accepted,
      ),
      counter("majordomo_rows_written_total", "Rows that the database has.", written),
      gauge("majordomo_rows_waiting", "Rows that wait for the database.", waiting),
      counter("majordomo_rows_rejected_total", "Rows that the database refused in every form.", rejected),
      counter("majordomo_rows_dropped_total", "Rows for which there was no room.", dropped),
      gauge("majordomo_journal_bytes", "Size of the journal's files.", journalBytes),
      { name: "majordomo_batch_rows", type: "histogram", help: "Rows per batch.", samples: batchRows.samples() },
      {
        name: "majordomo_batch_write_seconds",
        type: "histogram",
        help: "Time until the database has taken a batch.",
        samples: writeSeconds.samples(),
      },
      ...toBodyMetrics(bodies()),
      gauge("majordomo_open_requests", "Requests that run now.", open),
      gauge("majordomo_open_streams", "Streamed answers that run now.", streams),
      {
        name: "majordomo_requests_total",
        type: "counter",
        help: "Requests that have a row, by provider and status.",
        samples: [...requests.values()].map(({ provider, status, count }) => ({
          labels: { provider, status },
          value: count,
        })),
      },
      counter(
        "majordomo_metadata_cut_total",
        "Metadata headers dropped or cut because of the limits.",
        metadataTruncated,
      ),
      {
        name: "majordomo_event_loop_lag_seconds",
        type: "gauge",
        help: "How late timers were since the last scrape; quantile 1 is the worst.",
        samples: readLag(),
        together: "max",
      },
      gauge("process_resident_memory_bytes", "Resident memory.", rss),
      counter("process_cpu_seconds_total", "CPU time, user and system.", (user + system) / 1e6),
    ]
  }

  function readLag(): Sample[] {
    const samples = [50, 99, 100].map((percent) => {
      const ms = lag.percentile(percent) / 1e6 - LAG_RESOLUTION_MS
      return { labels: { quantile: String(percent / 100) }, value: Math.max(0, ms) / 1000 }
    })
    lag.reset()
    return samples
  }

  return { onRecord, onBatch, collect, close: () => lag.disable() }
}
