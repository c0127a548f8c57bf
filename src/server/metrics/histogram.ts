import type { Exemplar, Sample } from "../prometheus.ts"

/** Counts values by upper bounds. */
export class Histogram {
  private readonly bounds: readonly number[]
  /** The values of each bucket that are in no smaller one. The last bucket has no bound. */
  private readonly counts: number[]
  private readonly exemplars: (Exemplar | undefined)[] = []
  private sum = 0

  /** @param bounds in ascending order */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = [...bounds.map(() => 0), 0]
  }

  /** @param traceId the trace of the request with this value, which is shown as an example of its bucket */
  observe(value: number, traceId?: string): void {
    const { bounds } = this
    let i = 0
    while (i < bounds.length && value > bounds[i]!) i++
    this.counts[i]!++
    this.sum += value
    if (traceId !== undefined) this.exemplars[i] = { traceId, value, at: Date.now() / 1000 }
  }

  /**
   * Returns the buckets, each of which includes the values of all smaller ones, and their sum and count.
   * @param labels as text
   */
  samples(labels = ""): Sample[] {
    let count = 0
    const before = labels === "" ? "" : `${labels},`
    const buckets = this.counts.map((own, i): Sample => {
      count += own
      const le = i < this.bounds.length ? String(this.bounds[i]) : "+Inf"
      const exemplar = this.exemplars[i]
      return { suffix: "_bucket", labels: `${before}le="${le}"`, value: count, ...(exemplar && { exemplar }) }
    })
    return [...buckets, { suffix: "_sum", labels, value: this.sum }, { suffix: "_count", labels, value: count }]
  }
}
