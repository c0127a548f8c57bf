import { createTable } from "../core/table.ts"
import { fromWall, toDate } from "./_zone.ts"

/** An interval that includes `since` and excludes `until`, in milliseconds since the epoch. */
export interface Period {
  readonly since: number
  /** Undefined means that the period has no end. */
  readonly until: number | undefined
  readonly tz: string
}

/** The forms that `parseMoment` accepts, for help texts and error messages. */
export const MOMENTS = "7d, 24h, today, yesterday, week, last-month, 2026-11-01 or 2026-11-01T14:30"

/** The forms that `isPeriod` accepts, for help texts and error messages. */
export const PERIODS =
  "today, yesterday, this-week, last-week, this-month, last-month, this-quarter, last-quarter, this-year, last-year, 2026-11, 2026-Q4, 2026 or 2026-11-20"

const DAY_MS = 86_400_000

type Unit = "day" | "week" | "month" | "quarter" | "year"

/** The names of periods: their unit, and how many units after the present one they are. */
const NAMES: Readonly<Record<string, readonly [unit: Unit, offset: number]>> = createTable({
  today: ["day", 0],
  yesterday: ["day", -1],
  ...Object.fromEntries(
    (["week", "month", "quarter", "year"] as const).flatMap((unit) => [
      [unit, [unit, 0]],
      [`this-${unit}`, [unit, 0]],
      [`last-${unit}`, [unit, -1]],
    ]),
  ),
})

/** Returns true for a text that names a whole period, so that it can be both edges: `last-month`, `2026-11`, `2026-Q4`. */
export function isPeriod(text: string): boolean {
  return Object.hasOwn(NAMES, text) || /^\d{4}(-\d{2}(-\d{2})?|-Q[1-4])?$/i.test(text)
}

/**
 * Returns the moment that a text means, or undefined if it cannot be parsed. `Nd` is the start of the last N days, of which
 * today is one, so `30d` has 30 dates. `Nh` and `Nm` are that many hours and minutes ago. A date or a name such as `week` means its start for `since` and its end
 * for `until`: `--until 2026-11-30` includes that day.
 */
export function parseMoment(text: string, edge: "since" | "until", { now, tz }: { now: number; tz: string }) {
  if (text === "now") return now
  const today = toDate(now, tz)
  const shift = edge === "until" ? 1 : 0
  const ago = /^(\d{1,6})(m|h|d|w)$/.exec(text)
  if (ago !== null) {
    const count = Number(ago[1])
    if (ago[2] === "m") return now - count * 60_000
    if (ago[2] === "h") return now - count * 3_600_000
    return fromWall({ ...today, day: today.day + 1 - count * (ago[2] === "w" ? 7 : 1) }, tz)
  }
  if (!Object.hasOwn(NAMES, text)) return parseDate(text, shift, tz)
  const [unit, offset] = NAMES[text]!
  return startOf(unit, today, offset + shift, tz)
}

/** Returns the start of the unit that is `offset` units after the one of a date. */
function startOf(unit: Unit, { year, month, day }: ReturnType<typeof toDate>, offset: number, tz: string): number {
  switch (unit) {
    case "day":
      return fromWall({ year, month, day: day + offset }, tz)
    case "week": {
      const weekday = (new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7
      return fromWall({ year, month, day: day - weekday + 7 * offset }, tz)
    }
    case "month":
      return fromWall({ year, month: month + offset, day: 1 }, tz)
    case "quarter":
      return fromWall({ year, month: month - ((month - 1) % 3) + 3 * offset, day: 1 }, tz)
    case "year":
      return fromWall({ year: year + offset, month: 1, day: 1 }, tz)
  }
}

/** Returns the same local date and time of an earlier month, or the last day of that month if it is shorter. */
function minusMonths(at: number, months: number, tz: string): number {
  const { year, month, day } = toDate(at, tz)
  const start = fromWall({ year, month, day }, tz)
  const lastDay = new Date(Date.UTC(year, month - months, 0)).getUTCDate()
  return fromWall({ year, month: month - months, day: Math.min(day, lastDay) }, tz) + (at - start)
}

/**
 * Returns the period before: the calendar months before if the period consists of whole months. Of a period that begins at
 * a midnight, it is as many dates before, up to the same time of the last of them. Of any other period, it is the same
 * length of time.
 */
export function toPreviousPeriod({ since, until = 0, tz }: Period): Period {
  const [first, end] = [toDate(since, tz), toDate(until, tz)]
  const isWhole = [since, until].every((at) => fromWall({ ...toDate(at, tz), day: 1 }, tz) === at)
  const months = 12 * (end.year - first.year) + end.month - first.month
  if (isWhole) return { since: minusMonths(since, months, tz), until: since, tz }
  if (fromWall(first, tz) !== since) return { since: since - (until - since), until: since, tz }
  const last = toDate(until - 1, tz)
  const day = ({ year, month, day }: typeof first) => Date.UTC(year, month - 1, day)
  const dates = (day(last) - day(first)) / DAY_MS + 1
  const minusDates = (at: ReturnType<typeof toDate>) => fromWall({ ...at, day: at.day - dates }, tz)
  return { since: minusDates(first), until: Math.min(since, minusDates(end) + until - fromWall(end, tz)), tz }
}

/** Returns the same dates of the year before. */
export function toYearAgo({ since, until = 0, tz }: Period): Period {
  return { since: minusMonths(since, 12, tz), until: minusMonths(until, 12, tz), tz }
}

function parseDate(text: string, shift: number, tz: string): number | undefined {
  const longer = /^(\d{4})(?:-[Qq]([1-4]))?$/.exec(text)
  if (longer !== null) {
    const [year, quarter] = [Number(longer[1]), longer[2]]
    if (quarter === undefined) return fromWall({ year: year + shift, month: 1, day: 1 }, tz)
    return fromWall({ year, month: 3 * (Number(quarter) - 1 + shift) + 1, day: 1 }, tz)
  }
  const parts = /^(\d{4})-(\d{2})(?:-(\d{2})(?:[T ](\d{2}):(\d{2})(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?$/.exec(
    text,
  )
  if (parts === null) return undefined
  const [, year, month, day, hour, minute, zone] = parts
  if (!isDate(Number(year), Number(month), Number(day ?? 1))) return undefined
  if (zone !== undefined) return Number.isNaN(Date.parse(text)) ? undefined : Date.parse(text.replace(" ", "T"))
  if (hour !== undefined && (Number(hour) > 23 || Number(minute) > 59)) return undefined
  const at = { year: Number(year), month: Number(month), day: Number(day ?? 1) }
  if (day === undefined) return fromWall({ ...at, month: at.month + shift }, tz)
  if (hour === undefined) return fromWall({ ...at, day: at.day + shift }, tz)
  return fromWall({ ...at, hour: Number(hour), minute: Number(minute) }, tz)
}

function isDate(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day))
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}
