/** AWS rejects a signature whose time differs from its own by more than five minutes. */
const TOLERANCE_MS = 4 * 60_000

export interface AwsClock {
  /** Milliseconds since the epoch, as AWS counts them, as far as is known. */
  now(): number
  /** Takes the `Date` of an answer with which AWS rejected a signed request. The next signatures use its time. */
  correct(date: string | undefined): void
}

/**
 * Creates the clock of signatures: that of this machine, until AWS rejects a signature whose time is far from its own. The
 * rejected request is not sent again.
 *
 * @param options.now milliseconds since the epoch by the clock of this machine
 */
export function createAwsClock({ now, warn }: { now(): number; warn(line: string): void }): AwsClock {
  let aheadMs = 0
  return {
    now: () => now() + aheadMs,
    correct(date) {
      const theirs = Date.parse(date ?? "")
      if (Number.isNaN(theirs) || Math.abs(theirs - now() - aheadMs) <= TOLERANCE_MS) return
      aheadMs = theirs - now()
      const minutes = Math.round(Math.abs(aheadMs) / 60_000)
      if (minutes === 0) return // the clock of this machine is right again
      const direction = aheadMs > 0 ? "behind" : "ahead of"
      warn(
        `the clock of this machine is ${minutes} min ${direction} that of AWS, which rejected a signature for it: further signatures have the time of AWS. Set the clock of this machine`,
      )
    },
  }
}
