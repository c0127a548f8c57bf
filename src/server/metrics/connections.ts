import type { ConnectionStats } from "../connections.ts"
import { gauge, type Metric } from "../prometheus.ts"

export function toConnectionMetrics({ open, rejectedInAll, rejectedPerAddress }: ConnectionStats): Metric[] {
  return [
    gauge("majordomo_open_connections", "Client connections that are open now.", open),
    {
      name: "majordomo_connections_rejected_total",
      type: "counter",
      help: "Client connections that were rejected, by limit: server.max_connections or that per address.",
      samples: [
        { labels: { limit: "all" }, value: rejectedInAll },
        { labels: { limit: "address" }, value: rejectedPerAddress },
      ],
    },
  ]
}
