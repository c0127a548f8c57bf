import type { ExportStats } from "../../telemetry/export/exporter.ts"
import { counter, gauge, type Metric } from "../prometheus.ts"

/** Returns the metrics of the export of telemetry; none if there is no export. */
export function toOtlpMetrics(stats: ExportStats | undefined): Metric[] {
  if (stats === undefined) return []
  return [
    counter("majordomo_otlp_spans_exported_total", "Spans that the receiver accepted.", stats.exportedSpans),
    {
      name: "majordomo_otlp_spans_dropped_total",
      type: "counter",
      help:
        "Spans that were not exported: queue_full (the receiver is too slow or away), failed (it did not take them), " +
        "rejected (it took others of their batch).",
      samples: Object.entries(stats.droppedSpans).map(([reason, value]) => ({ labels: { reason }, value })),
    },
    gauge("majordomo_otlp_spans_waiting", "Spans that wait for their export.", stats.waitingSpans),
    counter("majordomo_otlp_metric_exports_total", "Exports of metrics that were accepted.", stats.metricExports),
    counter(
      "majordomo_otlp_metric_exports_failed_total",
      "Exports of metrics that failed. The next one has all values again.",
      stats.failedMetricExports,
    ),
  ]
}
