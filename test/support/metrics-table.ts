import { createCounters } from "../../src/gateway/counters.ts"
import { toOtlpMetrics } from "../../src/server/metrics/otlp.ts"
import { toUsageMetrics } from "../../src/server/metrics/usage.ts"
import { createMetrics } from "../../src/server/metrics.ts"
import { type Metric, toKey } from "../../src/server/prometheus.ts"
import { toReceiverMetrics } from "../../src/server/receiver/metrics.ts"
import { aRecord } from "../database/_ledger.ts"

/** The label that stands for those of `telemetry.labels`. */
export const OWN_LABEL = "team"

const LEDGER_AT_REST = { lastWrittenAt: undefined, lastError: undefined, stalledSince: undefined }

const SUMS = { requests: 1, cost: "1", unpriced: 0 }

/** Returns every metric that a gateway can have, with a sample of each kind. */
export function listMetrics(): readonly Metric[] {
  const rows = { accepted: 1, written: 1, rejected: 0, dropped: 0 }
  const metrics = createMetrics(
    {
      ledger: () => ({ ...rows, waiting: 0, journalBytes: 1, batches: 1, ...LEDGER_AT_REST }),
      rows: () => rows,
      bodies: () => ({
        kept: 1,
        uploaded: 1,
        waiting: 0,
        dropped: 0,
        truncated: 0,
        lost: 0,
        memoryBytes: 0,
        diskBytes: 0,
        lastError: undefined,
      }),
      gateway: () => ({ requests: 0, ...createCounters() }),
      connections: () => ({ open: 0, rejectedInAll: 0, rejectedPerAddress: 0 }),
      limits: () => [
        {
          limit: {
            id: "1",
            name: "search",
            measure: "cost",
            amount: "50",
            window: "month",
            tz: "UTC",
            per: "User-Id",
            action: "block",
            notifyAt: [],
            estimate: "expected",
            unpriced: "allow",
            source: "database",
          },
          amount: "50",
          rejections: 1,
          usedRatio: 0.5,
          groups: [{ value: "ann", used: "25" }],
        },
      ],
      notifications: () => ({ channels: [{ channel: "ops", sent: 1, failed: 0 }], waiting: 0 }),
      usage: () => toUsageMetrics([{ provider: "openai", model: "gpt-5", day: SUMS, month: SUMS }]),
      openTelemetry: () => [
        ...toOtlpMetrics({
          ...{ exportedSpans: 1, droppedSpans: { queue_full: 0, failed: 0, rejected: 0 }, waitingSpans: 0 },
          ...{ metricExports: 1, failedMetricExports: 0 },
        }),
        ...toReceiverMetrics({ accepted: 1, rejected: 0 }),
      ],
      pricesCheckedAt: () => 1,
      replica: () => ({ isUsed: true, lagMs: 1, problem: undefined }),
    },
    { telemetry: { labels: { [OWN_LABEL]: "Team" }, maxSeries: 100 }, ledger: { maxJournalBytes: 1 } },
  )
  metrics.onBatch(1, 1)
  metrics.onRecord(aRecord({ cost_status: "estimated" }), "app")
  metrics.onRecord(aRecord({ cost_status: "unpriced", billing: "subscription" }), "app")
  try {
    return metrics.collect()
  } finally {
    metrics.close()
  }
}

/** Returns the table of docs/metrics.md in Markdown. */
export function toMetricsTable(metrics: readonly Metric[]): string {
  const lines = metrics.map((metric) => {
    const labels = listLabels(metric).map((label) => `\`${label}\``)
    return `| \`${metric.name}\` | ${metric.type} | ${labels.join(", ") || "–"} | ${metric.help.replaceAll("|", "\\|")} |`
  })
  return ["| metric | type | labels | meaning |", "|---|---|---|---|", ...lines].join("\n")
}

/** Returns the names of the labels of a metric. `…` stands for those of `telemetry.labels`. */
export function listLabels({ samples }: Metric): readonly string[] {
  const names = new Set(
    samples.flatMap((sample) => [...toKey(sample).matchAll(/[{,](\w+)="/g)].map(([, name]) => name!)),
  )
  names.delete("le")
  return [...names].map((name) => (name === OWN_LABEL ? "…" : name))
}
