/** What one gateway counts while it runs; the pipeline changes it in place, for it is the hot path. */
export interface Tally {
  /** Streamed answers that run now. */
  streams: number
  /** Metadata headers that were left out or cut because of the limits. */
  metadataCut: number
  /** The time that running answers had after SIGTERM is over: what closes from now on is closed by us. */
  isCutting: boolean
}

export function createTally(): Tally {
  return { streams: 0, metadataCut: 0, isCutting: false }
}
