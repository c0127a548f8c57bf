/** What one gateway counts while it runs; the pipeline changes it in place, for it is the hot path. */
export interface Counters {
  /** Streamed answers that run now. */
  streams: number
  /** Metadata headers that were left out or cut because of the limits. */
  metadataTruncated: number
  /** The time that running answers had after SIGTERM is over: what closes from now on is closed by us. */
  isAborting: boolean
}

export function createCounters(): Counters {
  return { streams: 0, metadataTruncated: 0, isAborting: false }
}
