import type { Metric } from "../prometheus.ts"

/** The counts of the events of usage that the receiver got. */
export interface ReceiverStats {
  /** Given to the ledger. A report of a relayed request is dropped by the database. */
  readonly accepted: number
  /** Not complete, or too old. */
  readonly rejected: number
}

/** Returns the metrics of the receiver; none if it is off. Its rows are in no metric of relayed requests. */
export function toReceiverMetrics(stats: ReceiverStats | undefined): Metric[] {
  if (stats === undefined) return []
  return [
    {
      name: "majordomo_telemetry_events_total",
      type: "counter",
      help: "Events of usage that clients reported by OTLP: accepted as rows, or rejected.",
      samples: Object.entries(stats).map(([result, value]) => ({ labels: { result }, value })),
    },
  ]
}
