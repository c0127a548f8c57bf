import type { LedgerStats } from "../../database/ledger/accounts.ts"
import { combine, isMomentary, type Metric, mapSamples, type Sample, toKey } from "../prometheus.ts"

/** The sums of the metrics of all processes, in which no counter ever goes backwards. */
interface Totals {
  /** Replaces the metrics of a process. They hold until it reports again, also while it does not answer. */
  report(process: number, metrics: readonly Metric[]): void
  /** Keeps what a process that has ended had counted. */
  end(process: number): void
  /** Returns the sums over all processes, given the metrics of this one. */
  sum(own: readonly Metric[]): Metric[]
}

export function createTotals(): Totals {
  const latest = new Map<number, readonly Metric[]>()
  const highest = new Map<string, Sample>()
  let ended: readonly Metric[] = []

  /** What an ended process did not finish is counted again by the next one, so a sum may fall until then. */
  function keepHighest(metric: Metric): Metric {
    if (isMomentary(metric)) return metric
    return mapSamples(metric, (sample) => {
      const key = metric.name + toKey(sample)
      const before = highest.get(key)
      if (before !== undefined && before.value > sample.value) return before
      highest.set(key, sample)
      return sample
    })
  }

  return {
    report: (process, metrics) => void latest.set(process, metrics),
    end(process) {
      ended = combine([ended, (latest.get(process) ?? []).flatMap(toEnded)])
      latest.delete(process)
    },
    sum: (own) => combine([own, ended, ...latest.values()]).map(keepHighest),
  }
}

/**
 * Returns what stays of a metric when its process has ended: nothing of a gauge or a summary, nor of a lifelong counter, which another
 * process reports from now on, and all of another counter but its `recounted`.
 */
function toEnded(metric: Metric): Metric[] {
  if (isMomentary(metric) || metric.isLifelong) return []
  const { recounted = 0, ...counter } = metric
  return [mapSamples(counter, (sample) => (recounted === 0 ? sample : { ...sample, value: sample.value - recounted }))]
}

/** Returns the rows that an ended process has settled. The rows that it left are accepted again by the next process. */
export function toSettled(stats: LedgerStats): LedgerStats {
  return { ...stats, accepted: stats.accepted - stats.waiting, waiting: 0, journalBytes: 0, stalledSince: undefined }
}
