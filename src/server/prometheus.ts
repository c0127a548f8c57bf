import { addDecimals } from "../core/decimal.ts"

/** One metric, in the terms of https://prometheus.io/docs/instrumenting/exposition_formats/ */
export interface Metric {
  readonly name: string
  /** A summary has quantiles of the present, as a gauge has a value. */
  readonly type: "counter" | "gauge" | "histogram" | "summary"
  readonly help: string
  readonly samples: readonly Sample[]
  /** How the values of several processes are combined. Default: their sum. */
  readonly together?: "max"
  /** The part of a counter that the next process counts again if this one ends, such as rows that still wait. */
  readonly recounted?: number
  /** A counter that goes on over the ends of processes: the next one, or the files of the ended one, have its value. */
  readonly isLifelong?: true
  /** Its samples appear with the first request that they count. Prometheus gets a new one as 0 first (`zero-start.ts`). */
  readonly startsAtZero?: true
}

export interface Sample {
  readonly suffix?: "_bucket" | "_sum" | "_count"
  /** Its labels, or their text (`toLabelText`), where there are thousands of samples. */
  readonly labels?: Labels | string
  readonly value: number
  /** The value as a plain decimal, where a float could not add it up exactly: an amount of money. */
  readonly decimal?: string
  readonly exemplar?: Exemplar
}

export type Labels = Readonly<Record<string, string>>

/** One of the values that a bucket counts, with the trace of its request. */
export interface Exemplar {
  readonly traceId: string
  readonly value: number
  /** Seconds since the epoch. */
  readonly at: number
}

export function counter(name: string, help: string, value: number, recounted = 0): Metric {
  return { name, type: "counter", help, samples: [{ value }], ...(recounted > 0 && { recounted }) }
}

export function gauge(name: string, help: string, value: number): Metric {
  return { name, type: "gauge", help, samples: [{ value }] }
}

/** Combines the metrics of several processes. */
export function combine(all: readonly (readonly Metric[])[]): Metric[] {
  const found = new Map<string, { metric: Metric; samples: Map<string, Sample> }>()
  for (const metric of all.flat()) {
    const entry = found.get(metric.name) ?? { metric, samples: new Map<string, Sample>() }
    found.set(metric.name, entry)
    for (const sample of metric.samples) {
      const key = toKey(sample)
      const before = entry.samples.get(key)
      entry.samples.set(key, before === undefined ? sample : add(metric, before, sample))
    }
  }
  return [...found.values()].map(({ metric, samples }) => ({ ...metric, samples: [...samples.values()] }))
}

function add({ together }: Metric, a: Sample, b: Sample): Sample {
  if (together === "max") return a.value >= b.value ? a : b
  const exemplar = (a.exemplar?.at ?? 0) > (b.exemplar?.at ?? 0) ? a.exemplar : b.exemplar
  const sum = { ...a, ...(exemplar && { exemplar }), value: a.value + b.value }
  if (a.decimal === undefined || b.decimal === undefined) return sum
  const decimal = addDecimals(a.decimal, b.decimal)
  return { ...sum, decimal, value: Number(decimal) }
}

/** Whether the values of a metric tell of the present, so that they can go down. */
export function isMomentary({ type }: Metric): boolean {
  return type === "gauge" || type === "summary"
}

/** Returns the metric with other samples. */
export function mapSamples(metric: Metric, toSample: (sample: Sample) => Sample): Metric {
  return { ...metric, samples: metric.samples.map(toSample) }
}

/** Returns what tells a sample from the others of its metric. */
export function toKey({ suffix, labels = "" }: Sample): string {
  const name: string = suffix ?? ""
  const text = typeof labels === "string" ? labels : toLabelText(labels)
  return text === "" ? name : `${name}{${text}}`
}

/** Formats labels, without the braces: `provider="openai",model="gpt-5"`. */
export function toLabelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}="${escapeLabel(value)}"`)
    .join(",")
}

function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n") : value
}
