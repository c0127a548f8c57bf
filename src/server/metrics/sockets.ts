import type { SocketCounters } from "../../gateway/sockets/counters.ts"
import { gauge, type Metric } from "../prometheus.ts"

/** The labels are a few words of the gateway's own: nothing that a client sends becomes one. */
export function toSocketMetrics({ open, ends, messages, bytes, unread }: SocketCounters): Metric[] {
  return [
    gauge("majordomo_open_websockets", "WebSockets that are open now.", open),
    {
      name: "majordomo_websockets_closed_total",
      type: "counter",
      help:
        "WebSockets that have ended, by the reason: client or provider, or why the gateway closed them: idle, age, key, " +
        "rejected, shutdown.",
      samples: toSamples("reason", ends),
    },
    {
      name: "majordomo_websocket_messages_total",
      type: "counter",
      help: "Messages on WebSockets that were read, by the side that sent them.",
      samples: toSamples("from", messages),
    },
    {
      name: "majordomo_websocket_bytes_total",
      type: "counter",
      help: "Bytes of messages on WebSockets after decompression, by the side that sent them.",
      samples: toSamples("from", bytes),
    },
    {
      name: "majordomo_websocket_unread_messages_total",
      type: "counter",
      help: "Messages on WebSockets that were passed on without being read: usage in them is estimated.",
      samples: toSamples("from", unread),
    },
  ]
}

function toSamples(label: string, values: Readonly<Record<string, number>>): Metric["samples"] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }))
}
