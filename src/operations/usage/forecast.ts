import { divide, formatDecimal, fromNumber, multiply, parseDecimal, toMoney } from "../../core/decimal.ts"
import {
  DIMENSIONS,
  type Filters,
  listDays,
  type Period,
  type UsageAnswer,
  type UsageQuestion,
} from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { addAmounts } from "./allocate.ts"
import { withAsker } from "./asker.ts"
import { toQuestionObject } from "./json.ts"
import { listNotes } from "./notes.ts"

export interface ForecastQuestion {
  /** The whole month. */
  readonly period: Period & { readonly until: number }
  readonly filters: Filters
  /** The midnight of today, and those of the days before, as far back as the pattern reaches. */
  readonly pattern: Period & { readonly until: number }
}

/** The number of whole weeks that a forecast looks back on, and the smallest number from which it says anything. */
export const MAX_WEEKS = 8
const MIN_WEEKS = 2

/** A forecast in the form of JSON. Money is USD as plain decimals. */
export interface Forecast {
  readonly since: string
  readonly until: string
  readonly tz: string
  readonly filters: Readonly<Record<string, unknown>>
  /** The cost of the month so far; null: no price is known. */
  readonly to_date: string | null
  /** The requests of the month without a known price, so that its cost is more. */
  readonly unpriced: number
  /** The cost at the month's end; null: too little is known, and `notes` say what. */
  readonly forecast: string | null
  /** The month's end if all remaining days are like those of the cheapest or the most expensive of the weeks. */
  readonly low: string | null
  readonly high: string | null
  /** The number of weeks that the forecast is based on. */
  readonly weeks: number
  readonly notes: readonly string[]
}

/**
 * Estimates the cost of a month at its end. Each remaining day costs what the same day of the week has cost in the last
 * whole weeks, on average. Of today, the part that is left counts.
 */
export async function forecastUsage(
  context: Context<"database" | "now">,
  { period, filters, pattern }: ForecastQuestion,
): Promise<Forecast> {
  const now = context.now()
  const day: UsageQuestion = { by: [DIMENSIONS["day"]!], period: pattern, filters }
  const total: UsageQuestion = { by: [], period: { ...period, until: Math.min(now, period.until) }, filters }
  const { past, current, notes } = await withAsker(context.database, async ({ ask, rollups }) => {
    const current = period.since < now ? await ask(total) : undefined
    const past = await ask(day)
    return {
      past,
      current,
      notes: listNotes({ ...day, period: { ...pattern, since: Math.min(pattern.since, period.since) } }, past, rollups),
    }
  })
  const { by: _by, ...head } = toQuestionObject({ question: { ...total, period }, now })
  const toDate = current === undefined ? "0" : current.total.total_cost
  const weeks = toWeeks(past, pattern)
  const doubts = [...notes, ...listDoubts([current?.total, past.total])]
  const none = {
    ...head,
    to_date: toDate,
    unpriced: current?.total.unpriced ?? 0,
    forecast: null,
    low: null,
    high: null,
    weeks: weeks.length,
  }
  if (period.until <= now) return { ...none, notes: [...doubts, "the month has ended: its cost is to_date"] }
  if (weeks.length < MIN_WEEKS) return { ...none, notes: [...doubts, TOO_LITTLE] }
  if (toDate === null) return { ...none, notes: [...doubts, "no price of this month is known"] }
  const rest = weeks.map((week) => costOfRest(week, { period, now }))
  const at = (amount: bigint) => addAmounts([toDate, formatDecimal(toMoney(amount))])
  const sum = rest.reduce((all, each) => all + each, 0n)
  const sorted = rest.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return {
    ...none,
    forecast: at(divide(sum, fromNumber(rest.length))),
    low: at(sorted[0]!),
    high: at(sorted.at(-1)!),
    notes: [...doubts, describePattern(weeks.length)],
  }
}

const TOO_LITTLE = `too little is known for a forecast: it needs ${MIN_WEEKS} whole weeks with requests before today`

function describePattern(weeks: number): string {
  return `assumes that each remaining day costs what the same day of the week has cost in the last ${weeks} weeks; the range is the cheapest and the most expensive of these weeks`
}

function listDoubts(totals: readonly (UsageAnswer["total"] | undefined)[]): string[] {
  const unpriced = totals.some((total) => (total?.unpriced ?? 0) > 0)
  return unpriced ? ["some requests have no known price: their cost is in no number"] : []
}

/** The cost of each day of one whole week, by the day of the week (0 is Sunday). */
type Week = readonly bigint[]

/** Returns the whole weeks before today, the newest first, back to the first day with requests. */
function toWeeks({ rows }: UsageAnswer, pattern: ForecastQuestion["pattern"]): readonly Week[] {
  const costs = new Map(rows.map(({ values, total_cost }) => [String(values[0]), parseDecimal(total_cost ?? "0")]))
  const days = listDays(pattern.since, pattern.until, pattern.tz)
  const first = days.findIndex((day) => costs.has(day))
  const known = first < 0 ? [] : days.slice(first).reverse()
  const weeks: Week[] = []
  for (let i = 0; i + 7 <= known.length && weeks.length < MAX_WEEKS; i += 7) {
    const week: bigint[] = []
    for (const day of known.slice(i, i + 7)) week[weekdayOf(day)] = costs.get(day) ?? 0n
    weeks.push(week)
  }
  return weeks
}

const weekdayOf = (day: string) => new Date(`${day}T00:00:00Z`).getUTCDay()

/** Returns what the rest of a month costs if its days are like those of one week. */
function costOfRest(
  week: Week,
  { period, now }: { readonly period: ForecastQuestion["period"]; readonly now: number },
) {
  const from = Math.max(now, period.since)
  const [today, ...others] = listDays(from, period.until, period.tz)
  const full = others.reduce((sum, day) => sum + week[weekdayOf(day)]!, 0n)
  const left = Math.min(1, (period.until - from) / 86_400_000 - others.length)
  return full + multiply(week[weekdayOf(today!)]!, fromNumber(Math.max(0, Math.round(left * 1e6) / 1e6)))
}
