import { formatCompact, formatCount, formatDay, formatHour, formatMoney } from "../kit/format.ts"
import { navigate } from "../kit/location.ts"
import { type Bucket, type Interval, listBuckets } from "../kit/period.ts"
import { type Question, withParams } from "../kit/question.ts"
import { type Timeline, toValues } from "../kit/series.ts"
import { METRICS, type Metric, toPhrase } from "../kit/usage.ts"
import { type Bar, Chart } from "../parts/chart.tsx"
import { Choice } from "../parts/form.tsx"
import { Legend } from "../parts/legend.tsx"

interface OverTimeProps {
  readonly question: Question
  readonly timeline: Timeline
  readonly metric: Metric
  readonly interval: Interval
  readonly split: string
  readonly choices: readonly string[]
}

const INTERVALS = [
  ["hour", "By hour"],
  ["day", "By day"],
  ["week", "By week"],
  ["month", "By month"],
] as const

/** The measure over time, split by a dimension. A bar shows its time alone. */
export function OverTime({ question, timeline, metric, interval, split, choices }: OverTimeProps) {
  const { params, href } = question
  const { series, hasRest } = toSeries(timeline, interval, metric)
  const before = timeline.before.data?.total.requests ? toBefore(timeline, interval, metric) : undefined
  const set = (changes: Readonly<Record<string, string>>) =>
    navigate(href(withParams(params, changes)), { replace: true })
  const format = (value: number) => (metric === "cost" ? formatMoney(value.toFixed(9)) : formatCount(value))
  const formatAxis = (value: number) => (metric === "cost" ? toDollars(value) : formatCompact(value))
  return (
    <div class="over-time">
      <div class="over-time-head">
        <Legend series={series} hasRest={hasRest} hrefOf={(i) => timeline.splits[i]?.filterHref} />
        <div class="over-time-choices">
          <Choice
            label="Bars"
            isBare
            value={interval}
            options={INTERVALS}
            onChange={(value) => set({ interval: value })}
          />
          <Choice
            label="Split by"
            isBare
            value={split}
            options={[["none", "No split"], ...choices.map((name) => [name, `By ${toPhrase(name)}`] as const)]}
            onChange={(value) => set({ split: value })}
          />
        </div>
      </div>
      <Chart
        label={`${METRICS[metric].title} over time`}
        bars={timeline.buckets.map((bucket) => toBar(bucket, interval, question))}
        series={series}
        hasRest={hasRest}
        before={before}
        format={format}
        formatAxis={formatAxis}
        isStale={timeline.isLoading}
      />
    </div>
  )
}

function toDollars(value: number): string {
  if (value === 0 || value >= 1) return `$${value >= 10_000 ? formatCompact(value) : Number(value.toFixed(2))}`
  return `$${Number(value.toPrecision(2))}`
}

/** Returns the series of the largest values, and the rest as the last one. */
function toSeries({ report, buckets, splits }: Timeline, interval: Interval, metric: Metric) {
  const totals = toValues(report.data?.rows ?? [], buckets, interval, metric)
  if (splits.length === 0) return { series: [{ name: METRICS[metric].title, values: totals }], hasRest: false }
  const series = splits.map(({ name, rows }) => ({ name, values: toValues(rows, buckets, interval, metric) }))
  const rest = totals.map((total, i) => total - series.reduce((sum, { values }) => sum + values[i]!, 0))
  // Sums of rounded numbers differ in their last digits.
  const largest = Math.max(...totals)
  const hasRest = rest.some((value) => value > largest * 1e-9)
  return {
    series: hasRest ? [...series, { name: "Others", values: rest.map((value) => Math.max(0, value)) }] : series,
    hasRest,
  }
}

/** The bars of the comparison, the first one below the first one. */
function toBefore({ before }: Timeline, interval: Interval, metric: Metric): number[] {
  return toValues(before.data!.rows, listBuckets(before.data!, interval), interval, metric)
}

function toBar({ value, start }: Bucket, interval: Interval, { tz, params, href }: Question): Bar {
  if (typeof start === "number") {
    const label = formatHour(start, tz)
    const day = formatDay(new Date(start).toLocaleDateString("sv-SE", { timeZone: tz }))
    return { label, title: `${day}, ${label}`, href: undefined }
  }
  const show = (since: string, until: string) => href(withParams(params, { since, until, interval: undefined }))
  if (interval === "month")
    return {
      label: formatDay(start, { month: "short" }),
      title: formatDay(start, { month: "long", year: "numeric" }),
      href: show(value, value),
    }
  if (interval === "week") {
    const last = new Date(Date.parse(start) + 6 * 86_400_000).toISOString().slice(0, 10)
    return { label: formatDay(start), title: `${formatDay(start)} – ${formatDay(last)}`, href: show(start, last) }
  }
  return {
    label: formatDay(start),
    title: formatDay(start, { weekday: "short", day: "numeric", month: "short" }),
    href: show(start, start),
  }
}
