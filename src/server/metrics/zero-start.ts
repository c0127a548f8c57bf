import { type Metric, mapSamples, type Sample, toKey } from "../prometheus.ts"

/**
 * Returns a function that changes what Prometheus gets: a sample that is new to it is 0, and has its value from the next
 * scrape on. Prometheus computes increases from the differences between scrapes. Without the 0, it would miss the first
 * request of each model, key or team, and with it its cost. Of several scrapers, only the first one gets the 0.
 */
export function createZeroStart(): (metrics: readonly Metric[]) => Metric[] {
  const known = new Set<string>()
  return (metrics) =>
    metrics.map((metric) =>
      metric.startsAtZero
        ? mapSamples(metric, (sample) => (isKnown(metric, sample) ? sample : toZero(sample)))
        : metric,
    )

  function isKnown({ name }: Metric, sample: Sample): boolean {
    const key = name + toKey(sample)
    if (known.has(key)) return true
    known.add(key)
    return false
  }
}

function toZero({ decimal, exemplar: _, ...sample }: Sample): Sample {
  return { ...sample, value: 0, ...(decimal !== undefined && { decimal: "0" }) }
}
