import type { LedgerStats } from "../../database/ledger/ledger.ts"
import type { Totals } from "../../database/ledger/totals.ts"
import { counter, gauge, type Metric } from "../prometheus.ts"
import { Histogram } from "./histogram.ts"

const BATCH_ROWS = [1, 10, 50, 100, 250, 500, 1000, 2500]
const WRITE_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15]

/**
 * @param rows the counts over the life of the data directory
 * @param maxJournalBytes this process's part of `ledger.max_journal_size`
 */
export function toLedgerMetrics(
  { journalBytes, stalledSince }: LedgerStats,
  rows: Totals,
  maxJournalBytes: number,
): Metric[] {
  const { accepted, written, rejected, dropped } = rows
  const lifelong = (name: string, help: string, value: number): Metric => ({
    ...counter(name, `${help} Counted over the life of the data directory.`, value),
    isLifelong: true,
  })
  return [
    lifelong(
      "majordomo_rows_accepted_total",
      "Rows handed to the ledger: written + waiting + rejected + dropped.",
      accepted,
    ),
    lifelong("majordomo_rows_written_total", "Rows that are in the database.", written),
    gauge("majordomo_rows_waiting", "Rows that wait for the database.", accepted - written - rejected - dropped),
    lifelong("majordomo_rows_rejected_total", "Rows that the database rejected.", rejected),
    lifelong(
      "majordomo_rows_dropped_total",
      "Rows that neither the journal nor memory could keep, and rows that earlier processes lost.",
      dropped,
    ),
    gauge("majordomo_journal_bytes", "Size of the journal's files.", journalBytes),
    gauge(
      "majordomo_journal_max_bytes",
      "The size at which the journal is full: ledger.max_journal_size, or half of it with bodies in S3.",
      maxJournalBytes,
    ),
    {
      ...gauge(
        "majordomo_rows_stalled_seconds",
        "Seconds for which rows have waited while none could be written; 0 while rows are written.",
        stalledSince === undefined ? 0 : (Date.now() - stalledSince) / 1000,
      ),
      together: "max",
    },
  ]
}

/** Counts batches of rows by size and by the time that the database took for them. */
export function createBatchMetrics(): { onBatch(rows: number, ms: number): void; collect(): Metric[] } {
  const rowsPerBatch = new Histogram(BATCH_ROWS)
  const writeSeconds = new Histogram(WRITE_SECONDS)
  return {
    onBatch(rows, ms) {
      rowsPerBatch.observe(rows)
      writeSeconds.observe(ms / 1000)
    },
    collect: () => [
      { name: "majordomo_batch_rows", type: "histogram", help: "Rows per batch.", samples: rowsPerBatch.samples() },
      {
        name: "majordomo_batch_write_seconds",
        type: "histogram",
        help: "Time until the database has written a batch.",
        samples: writeSeconds.samples(),
      },
    ],
  }
}
