import { createSocketCounters, type SocketCounters } from "./sockets/counters.ts"

/** The counters of one running gateway. The pipeline changes them in place because it is on the hot path. */
export interface Counters {
  /** Streamed answers that are running. */
  streams: number
  /** Metadata headers that were dropped or truncated because of the limits. */
  metadataTruncated: number
  /** Metadata values of clients that a key's locked value replaced. */
  metadataOverridden: number
  /** Requests that wait for a connection to their provider. */
  waitingForProvider: number
  /** Requests that waited longer than `upstream.queue_timeout`. */
  providerTimeouts: number
  /**
   * The time for running answers after SIGTERM is over: connections that close from now on are closed by the gateway.
   */
  isAborting: boolean
  readonly sockets: SocketCounters
}

export function createCounters(): Counters {
  return {
    streams: 0,
    metadataTruncated: 0,
    metadataOverridden: 0,
    waitingForProvider: 0,
    providerTimeouts: 0,
    isAborting: false,
    sockets: createSocketCounters(),
  }
}
