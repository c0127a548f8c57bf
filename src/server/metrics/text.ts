import { type Exemplar, type Metric, type Sample, toKey } from "../prometheus.ts"

/** The formats in which metrics are served. */
export type MetricsFormat = "text" | "openmetrics"

export const CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

/** The units that the name of a metric can end in. */
const UNIT = /_(seconds|bytes|ratio|usd)$/

/** Returns the format that a client prefers by its header `Accept`. Only a client that names OpenMetrics gets it. */
export function chooseFormat(accept: string | null): MetricsFormat {
  return /\bapplication\/openmetrics-text\b(?!\s*;\s*q=0(\.0+)?\s*(,|$))/.test(accept ?? "") ? "openmetrics" : "text"
}

/** Formats metrics in text format 0.0.4 or in OpenMetrics 1.0, which has units and exemplars too. */
export function toText(metrics: readonly Metric[], format: MetricsFormat = "text"): string {
  const lines: string[] = []
  for (const metric of metrics) {
    lines.push(...(format === "text" ? toHead(metric) : toOpenMetricsHead(metric)))
    for (const sample of metric.samples) lines.push(toLine(metric, sample, format))
  }
  if (format === "openmetrics") lines.push("# EOF")
  return `${lines.join("\n")}\n`
}

function toHead({ name, help, type }: Metric): string[] {
  return [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`]
}

/** The family of a counter has no `_total`, and a quotation mark is escaped. */
function toOpenMetricsHead({ name, help, type }: Metric): string[] {
  const family = type === "counter" ? name.replace(/_total$/, "") : name
  const unit = UNIT.exec(family)?.[1]
  const head = [`# HELP ${family} ${escapeHelp(help).replaceAll('"', '\\"')}`, `# TYPE ${family} ${type}`]
  return unit === undefined ? head : [...head, `# UNIT ${family} ${unit}`]
}

function toLine({ name }: Metric, sample: Sample, format: MetricsFormat): string {
  const line = `${name}${toKey(sample)} ${sample.decimal ?? sample.value}`
  return format === "text" || sample.exemplar === undefined ? line : `${line} ${toExemplar(sample.exemplar)}`
}

function toExemplar({ traceId, value, at }: Exemplar): string {
  return `# {trace_id="${traceId}"} ${value} ${at}`
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
}
