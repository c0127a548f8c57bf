/** One metric, in the terms of https://prometheus.io/docs/instrumenting/exposition_formats/ */
export interface Metric {
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram"
  readonly help: string
  readonly samples: readonly Sample[]
  /** How the values of several processes are combined. Default: their sum. */
  readonly together?: "max"
  /** The part of a counter that the next process counts again if this one ends, such as rows that still wait. */
  readonly recounted?: number
  /** A counter that goes on over the ends of processes: the next one, or the files of the ended one, have its value. */
  readonly isLifelong?: true
}

export interface Sample {
  readonly suffix?: "_bucket" | "_sum" | "_count"
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

export function counter(name: string, help: string, value: number, recounted = 0): Metric {
  return { name, type: "counter", help, samples: [{ value }], ...(recounted > 0 && { recounted }) }
}

export function gauge(name: string, help: string, value: number): Metric {
  return { name, type: "gauge", help, samples: [{ value }] }
}

/** Formats metrics in text format 0.0.4. */
export function toText(metrics: readonly Metric[]): string {
  const lines = metrics.flatMap(({ name, type, help, samples }) => [
    `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
    `# TYPE ${name} ${type}`,
    ...samples.map((sample) => `${name}${toKey(sample)} ${sample.value}`),
  ])
  return `${lines.join("\n")}\n`
}

/** Combines the metrics of several processes. */
export function combine(all: readonly (readonly Metric[])[]): Metric[] {
  const found = new Map<string, { metric: Metric; samples: Map<string, Sample> }>()
  for (const metric of all.flat()) {
    const entry = found.get(metric.name) ?? { metric, samples: new Map<string, Sample>() }
    found.set(metric.name, entry)
    for (const sample of metric.samples) {
      const key = toKey(sample)
      const before = entry.samples.get(key)?.value
      const value = before === undefined ? sample.value : add(metric, before, sample.value)
      entry.samples.set(key, { ...sample, value })
    }
  }
  return [...found.values()].map(({ metric, samples }) => ({ ...metric, samples: [...samples.values()] }))
}

function add({ together }: Metric, a: number, b: number): number {
  return together === "max" ? Math.max(a, b) : a + b
}

/** Returns the metric with other values. */
export function mapSamples(metric: Metric, toValue: (sample: Sample) => number): Metric {
  return { ...metric, samples: metric.samples.map((sample) => ({ ...sample, value: toValue(sample) })) }
}

/** Returns what tells a sample from the others of its metric. */
export function toKey({ suffix, labels = {} }: Sample): string {
  const name = suffix ?? ""
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")
}

interface Histogram {
  observe(value: number): void
  samples(): Sample[]
}

/** Counts values by upper bounds. Each bucket includes the values of all smaller buckets. */
export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = bounds.map(() => 0)
  let count = 0
  let sum = 0
  return {
    observe(value) {
      count++
      sum += value
      for (let i = bounds.length - 1; i >= 0 && value <= bounds[i]!; i--) counts[i]!++
    },
    samples: () => [
      ...bounds.map((bound, i) => ({ suffix: "_bucket", labels: { le: String(bound) }, value: counts[i]! }) as const),
      { suffix: "_bucket", labels: { le: "+Inf" }, value: count },
      { suffix: "_sum", value: sum },
      { suffix: "_count", value: count },
    ],
  }
}
