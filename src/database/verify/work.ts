import type { Period } from "./periods.ts"

/** Adjacent days or weeks that one statement compares. */
export interface Range {
  readonly period: Period["period"]
  readonly how: "fingerprints" | "days" | "prunedDays" | "weeks"
  /** The first day (UTC). */
  readonly from: string
  /** The day after the last one. */
  readonly until: string
  readonly requests: number
}

/** Each run compares this part of what was proven before again, the oldest proofs first. */
const SAMPLE = 1 / 30
const MAX_PERIODS = 31
const DAYS_OF = { day: 1, week: 7 } as const

/** Chooses the periods to compare, all those that are not proven and a sample of the other days, and joins adjacent ones. */
export function chooseWork(
  periods: readonly Period[],
  { all, maxRequests }: { readonly all: boolean; readonly maxRequests: number },
): readonly Range[] {
  const sample = toSample(periods)
  const ranges: Range[] = []
  for (const period of periods.filter((each) => !each.isProven || sample.has(each) || (all && each.period === "day"))) {
    const last = ranges.at(-1)
    const range = toRange(period)
    const count = last === undefined ? 0 : daysBetween(last.from, range.until) / DAYS_OF[period.period]
    const isJoined =
      last?.how === range.how &&
      last.until === range.from &&
      count <= MAX_PERIODS &&
      last.requests + range.requests <= maxRequests
    if (isJoined) ranges.pop()
    ranges.push(isJoined ? { ...range, from: last.from, requests: last.requests + range.requests } : range)
  }
  return ranges
}

function toRange({ period, starts, requests, isPruned, hasOther }: Period): Range {
  const until = addDays(starts, DAYS_OF[period])
  const ofDay = isPruned ? "prunedDays" : hasOther ? "days" : "fingerprints"
  return { period, how: period === "week" ? "weeks" : ofDay, from: starts, until, requests }
}

function toSample(periods: readonly Period[]): ReadonlySet<Period> {
  const proven = periods.filter(({ period, isProven, isPruned }) => period === "day" && isProven && !isPruned)
  const weightOf = ({ requests }: Period) => requests + 1
  let left = proven.reduce((sum, each) => sum + weightOf(each), 0) * SAMPLE
  const chosen = [...proven]
    .sort((a, b) => a.verifiedAt - b.verifiedAt)
    .filter((each) => {
      const isChosen = left > 0
      left -= weightOf(each)
      return isChosen
    })
  return new Set(chosen)
}

export function addDays(day: string, count: number): string {
  return new Date(Date.parse(day) + count * DAY_MS).toISOString().slice(0, 10)
}

function daysBetween(from: string, until: string): number {
  return (Date.parse(until) - Date.parse(from)) / DAY_MS
}

const DAY_MS = 86_400_000
