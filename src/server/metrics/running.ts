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
