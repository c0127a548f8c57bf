import type { Input } from "./api.ts"
import { DEFAULT_SINCE } from "./question.ts"

interface Preset {
  readonly since: string
  /** Only a calendar period that has ended has an end; it is the same word. */
  readonly until?: string
  readonly title: string
  readonly key?: string
}

/** The periods of the picker, with the keys that choose them. */
export const PERIODS: readonly Preset[] = [
  { since: "today", title: "Today", key: "d" },
  { since: "7d", title: "Last 7 days", key: "w" },
  { since: DEFAULT_SINCE, title: "Last 30 days", key: "t" },
  { since: "month", title: "Month to date", key: "m" },
  { since: "90d", title: "Last 90 days", key: "q" },
  { since: "365d", title: "Last 12 months", key: "y" },
  { since: "yesterday", until: "yesterday", title: "Yesterday" },
  { since: "last-week", until: "last-week", title: "Last week" },
  { since: "last-month", until: "last-month", title: "Last month" },
  { since: "last-quarter", until: "last-quarter", title: "Last quarter" },
]

/** What the period is compared with. */
export const COMPARISONS = [
  ["previous", "Previous period"],
  ["month", "Month before"],
  ["year", "Year before"],
  ["custom", "From a date …"],
  ["off", "No comparison"],
] as const

/** What every report of the API says about its period: ISO 8601 with the offset of the time zone. */
export interface Bounds {
  readonly since: string
  readonly until: string
}

const DAY_MS = 86_400_000

/** The reading of the clock at a moment, as if it were UTC. */
function toWall(iso: string): number {
  return Date.parse(`${iso.slice(0, 19)}Z`)
}

/** The text of a reading of the clock, which the API takes in the zone of the report. */
function fromWall(wall: number): string {
  return new Date(wall).toISOString().slice(0, 19)
}

/**
 * Returns the period to compare with, or undefined if the reader wants none. It is the same hours of other days, so that
 * a day that has just begun is compared with the beginning of another one.
 */
export function toComparison({ since, until }: Bounds, params: URLSearchParams): Input | undefined {
  const kind = params.get("compare") ?? "previous"
  const move = toShift(kind, { since, until }, params)
  if (move === undefined) return undefined
  return { since: fromWall(move(toWall(since))), until: fromWall(move(toWall(until))) }
}

function toShift(
  kind: string,
  { since, until }: Bounds,
  params: URLSearchParams,
): ((wall: number) => number) | undefined {
  const from = toWall(since)
  const days = toDays(kind, from, toWall(until), params)
  if (days !== undefined) {
    const matched = params.get("match") === "weekday" ? toWeeks(days, kind) : days
    return matched <= 0 ? undefined : (wall) => wall - matched * DAY_MS
  }
  return kind === "month"
    ? (wall) => minusMonths(wall, 1)
    : kind === "year"
      ? (wall) => minusMonths(wall, 12)
      : undefined
}

function toDays(kind: string, from: number, to: number, params: URLSearchParams): number | undefined {
  if (kind === "previous") return Math.max(1, Math.ceil((to - from) / DAY_MS))
  if (kind === "custom") return Math.round((from - Date.parse(`${params.get("vs")}T00:00:00Z`)) / DAY_MS) || undefined
  if (params.get("match") !== "weekday") return undefined
  return kind === "month" ? 28 : kind === "year" ? 364 : undefined
}

function toWeeks(days: number, kind: string): number {
  return kind === "custom" ? Math.round(days / 7) * 7 : Math.ceil(days / 7) * 7
}

/** The same day of an earlier month, or its last day if it is shorter. */
function minusMonths(wall: number, months: number): number {
  const date = new Date(wall)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() - months)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, last))
  return date.getTime()
}

export type Interval = "hour" | "day" | "week" | "month"

/** One bar: its value in the report, and its beginning. */
export interface Bucket {
  readonly value: string
  /** A date (`2026-11-28`), or a moment in ms for hours. */
  readonly start: string | number
}

/** Lists all bars of a period, also those in which nothing happened. */
export function listBuckets({ since, until }: Bounds, interval: Interval): Bucket[] {
  if (interval === "hour") return listHours(Date.parse(since), Date.parse(until))
  const buckets: Bucket[] = []
  let day = toFirstDay(toWall(since) - (toWall(since) % DAY_MS), interval)
  while (day < toWall(until)) {
    const date = fromWall(day).slice(0, 10)
    buckets.push({ value: toValue(day, interval), start: date })
    day = interval === "month" ? minusMonths(day, -1) : day + (interval === "week" ? 7 : 1) * DAY_MS
  }
  return buckets
}

function listHours(since: number, until: number): Bucket[] {
  const hour = 3_600_000
  const first = since - (since % hour)
  const count = Math.max(0, Math.ceil((until - first) / hour))
  return Array.from({ length: count }, (_, i) => ({ value: String(first + i * hour), start: first + i * hour }))
}

function toFirstDay(day: number, interval: Interval): number {
  if (interval === "week") return day - ((new Date(day).getUTCDay() + 6) % 7) * DAY_MS
  return interval === "month" ? day - (new Date(day).getUTCDate() - 1) * DAY_MS : day
}

function toValue(day: number, interval: Interval): string {
  const date = fromWall(day)
  if (interval === "month") return date.slice(0, 7)
  if (interval === "day") return date.slice(0, 10)
  // An ISO week belongs to the year of its Thursday.
  const thursday = new Date(day + 3 * DAY_MS)
  const year = thursday.getUTCFullYear()
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS)) + 1
  return `${year}-W${String(week).padStart(2, "0")}`
}

/** The value of a row's bar, as `listBuckets` writes it. */
export function toBucketValue(value: unknown, interval: Interval): string {
  return interval === "hour" ? String(Date.parse(String(value))) : String(value)
}
