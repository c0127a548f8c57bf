import type { LogRecord } from "../../core/log-record.ts"
import { counter, gauge, type Metric } from "../prometheus.ts"

/** The gateway's own counters. */
export interface RunningRequests {
  readonly requests: number
  readonly streams: number
  readonly waitingForProvider: number
  readonly providerTimeouts: number
  readonly metadataTruncated: number
  readonly metadataOverridden: number
}

export function toRunningMetrics(running: RunningRequests, openWebSockets: number): Metric[] {
  const { requests, streams, waitingForProvider, providerTimeouts, metadataTruncated, metadataOverridden } = running
  return [
    gauge(
      "majordomo_open_requests",
      "Requests that are running now, without open WebSockets.",
      Math.max(0, requests - openWebSockets),
    ),
    gauge("majordomo_open_streams", "Streamed responses that are running now.", streams),
    gauge(
      "majordomo_upstream_waiting_requests",
      "Requests that wait for a connection to their provider now.",
      waitingForProvider,
    ),
    counter(
      "majordomo_upstream_queue_timeouts_total",
      "Requests that waited longer than upstream.queue_timeout for a connection to their provider.",
      providerTimeouts,
    ),
    counter(
      "majordomo_metadata_cut_total",
      "Metadata headers that were dropped or truncated because of the limits.",
      metadataTruncated,
    ),
    counter(
      "majordomo_metadata_overridden_total",
      "Metadata values of clients that were replaced by a locked value of their key.",
      metadataOverridden,
    ),
  ]
}

/** Counts the requests that have a row, by provider and status. */
export function createRequestCounter(): { onRecord(record: LogRecord): void; collect(): Metric } {
  const counts = new Map<string, { readonly provider: string; readonly status: string; count: number }>()
  return {
    onRecord({ provider, status_code }) {
      const status = status_code >= 100 && status_code <= 599 ? String(status_code) : "other"
      const key = `${status} ${provider}`
      const entry = counts.get(key)
      if (entry) entry.count++
      else counts.set(key, { provider, status, count: 1 })
    },
    collect: () => ({
      name: "majordomo_requests_total",
      type: "counter",
      help: "Requests that have a row, by provider and status.",
      samples: [...counts.values()].map(({ provider, status, count }) => ({
        labels: { provider, status },
        value: count,
      })),
    }),
  }
}
