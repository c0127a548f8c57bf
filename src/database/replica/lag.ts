import type { Position } from "./position.ts"

interface Sample {
  readonly wal: bigint
  readonly at: number
}

/** With more samples, every second one is left out, which makes the lag of a standby that moves look longer, never shorter. */
const MAX_SAMPLES = 1000

/**
 * Measures how far a standby is behind its primary, in ms: all that was committed so long ago is on the standby.
 *
 * The time of the newest replayed transaction alone does not tell that: a primary that wrote nothing for an hour would look
 * like a lag of an hour. A standby that has replayed as much as the primary had written is not behind. One that has not is
 * behind by no more than the time since the primary was seen where the standby is now, and by no more than the age of the
 * newest transaction that it has replayed, both by the clock of the primary.
 */
export function createLagMeter(): (primary: Position, standby: Position) => number {
  let samples: Sample[] = []
  return (primary, standby) => {
    const last = samples.at(-1)
    if (last === undefined || primary.wal > last.wal) samples.push({ wal: primary.wal, at: primary.clockMs })
    else if (primary.wal === last.wal) samples[samples.length - 1] = { wal: primary.wal, at: primary.clockMs }
    else samples = [{ wal: primary.wal, at: primary.clockMs }] // another primary
    if (standby.wal >= primary.wal) {
      samples = samples.slice(-1)
      return 0
    }
    const seen = samples.findLastIndex(({ wal }) => wal <= standby.wal)
    const since = Math.max(
      samples[seen]?.at ?? Number.NEGATIVE_INFINITY,
      standby.replayedMs ?? Number.NEGATIVE_INFINITY,
    )
    samples = samples.slice(Math.max(0, seen)) // it never goes back
    if (samples.length > MAX_SAMPLES) samples = samples.filter((_, i) => i % 2 === 0)
    return Math.max(0, primary.clockMs - since)
  }
}
