import { type Bounds, type Bucket, type Interval, listBuckets, toBucketValue, toComparison } from "./period.ts"
import { type Query, useQuery } from "./query.ts"
import { FIXED, type Question, withFilter } from "./question.ts"
import { METRICS, type Metric, readValue, TOP_ROWS, type UsageReport, type UsageRow } from "./usage.ts"

/** The values of the split that have a color of their own. The others are one series. */
const MAX_SERIES = 5
/** Asks for as many values as a card of the overview shows, so that both have one question. */
const TOP = { sort: "cost", limit: TOP_ROWS }
/** More rows than this are not loaded for a chart; each of its series is then asked for by itself. */
const MAX_ROWS = 4_000

interface Split {
  readonly name: string
  readonly filterHref: string | undefined
  readonly rows: readonly UsageRow[]
}

export interface Timeline {
  readonly report: Query<UsageReport>
  readonly before: Query<UsageReport>
  readonly buckets: readonly Bucket[]
  readonly splits: readonly Split[]
  readonly isLoading: boolean
}

/** Asks for everything that the chart and the tiles show: the period by time and by `split`, and the one before. */
export function useTimeline(question: Question, interval: Interval, split: string | undefined): Timeline {
  const { input, params } = question
  const report = useQuery<UsageReport>("/usage", { ...input, by: interval })
  const bounds = report.data as Bounds | undefined
  const comparison = bounds && toComparison(bounds, params)
  const before = useQuery<UsageReport>(comparison && "/usage", { ...input, ...comparison, by: interval })
  const top = useQuery<UsageReport>(split && "/usage", { ...input, by: split, ...TOP })
  const buckets = bounds === undefined ? [] : listBuckets(bounds, interval)
  const isFew = top.data !== undefined && (top.data.groups ?? 0) * buckets.length <= MAX_ROWS
  const values = (top.data?.rows ?? []).slice(0, MAX_SERIES).map((row) => readValue(row, split!))
  const whole = useQuery<UsageReport>(isFew ? "/usage" : undefined, { ...input, by: `${interval},${split}` })
  const alone = Array.from({ length: MAX_SERIES }, (_, i) => {
    const value = isFew ? undefined : values[i]?.filter
    return useQuery<UsageReport>(value && "/usage", {
      ...input,
      ...toFilterInput(question, split!, value ?? ""),
      by: interval,
    })
  })
  const splits = values.map(({ text, filter }, i) => ({
    name: text,
    filterHref: filter === undefined ? undefined : question.href(withFilter(params, { name: split!, value: filter })),
    rows: isFew ? rowsOf(whole.data, split!, text) : (alone[i]!.data?.rows ?? []),
  }))
  const isLoading = report.isLoading || (split !== undefined && (top.isLoading || whole.isLoading))
  return { report, before, buckets, splits, isLoading }
}

function rowsOf(report: UsageReport | undefined, split: string, text: string): readonly UsageRow[] {
  return report?.rows.filter((row) => readValue(row, split).text === text) ?? []
}

function toFilterInput({ params }: Question, name: string, value: string) {
  const filtered = withFilter(params, { name, value })
  return FIXED.includes(name) ? { [name]: value } : { where: filtered.getAll("where") }
}

/** Returns the measure of each bucket. */
export function toValues(
  rows: readonly UsageRow[],
  buckets: readonly Bucket[],
  interval: Interval,
  metric: Metric,
): number[] {
  const sums = new Map<string, number>()
  for (const row of rows) {
    const value = toBucketValue(row[interval], interval)
    sums.set(value, (sums.get(value) ?? 0) + METRICS[metric].of(row))
  }
  return buckets.map(({ value }) => sums.get(value) ?? 0)
}

/** Estimates the length of the bars from the words of the address, so that nothing has to be asked before. */
export function guessInterval(params: URLSearchParams, defaultSince: string): Interval {
  const chosen = params.get("interval")
  if (chosen === "hour" || chosen === "day" || chosen === "week" || chosen === "month") return chosen
  const since = params.get("since") ?? defaultSince
  const until = params.get("until")
  const days = guessDays(since, until)
  return days <= 2.1 ? "hour" : days <= 93 ? "day" : days <= 190 ? "week" : "month"
}

function guessDays(since: string, until: string | null): number {
  const ago = /^(\d+)(m|h|d|w)$/.exec(since)
  if (ago !== null) return Number(ago[1]) / { m: 1440, h: 24, d: 1, w: 1 / 7 }[ago[2] as "m" | "h" | "d" | "w"]
  const words: Record<string, number> = { today: 1, yesterday: 2, week: 7, month: 31, quarter: 92, year: 365 }
  const named = words[since.replace(/^(this|last)-/, "")]
  if (named !== undefined) return named
  const end = until === null ? Date.now() : Date.parse(until.slice(0, 10)) + 86_400_000
  return (end - Date.parse(since.slice(0, 10))) / 86_400_000
}
