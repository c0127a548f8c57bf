import { fromWall, toDate } from "./_zone.ts"

/** An interval that includes `since` and excludes `until`, in milliseconds since the epoch. */
export interface Period {
  readonly since: number
  /** Undefined means that the period has no end. */
  readonly until: number | undefined
  readonly tz: string
}

/** The forms that `parseMoment` accepts, for help texts and error messages. */
export const MOMENTS = "7d, 24h, today, yesterday, week, month, year, 2026-11-01 or 2026-11-01T14:30"

/**
 * Returns the moment that a text means, or undefined if it cannot be parsed. `Nd` is the start of the day N days ago, and
 * `Nh` and `Nm` are that many hours and minutes ago. A date or a name such as `week` means its start for `since` and its end
 * for `until`: `--until 2026-11-30` includes that day.
 */
export function parseMoment(text: string, edge: "since" | "until", { now, tz }: { now: number; tz: string }) {
  const today = toDate(now, tz)
  const shift = edge === "until" ? 1 : 0
  const ago = /^(\d{1,6})(m|h|d|w)$/.exec(text)
  if (ago !== null) {
    const count = Number(ago[1])
    if (ago[2] === "m") return now - count * 60_000
    if (ago[2] === "h") return now - count * 3_600_000
    return fromWall({ ...today, day: today.day - count * (ago[2] === "w" ? 7 : 1) }, tz)
  }
  const { year, month, day } = today
  const weekday = (new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7
  switch (text) {
    case "now":
      return now
    case "today":
      return fromWall({ year, month, day: day + shift }, tz)
    case "yesterday":
      return fromWall({ year, month, day: day - 1 + shift }, tz)
    case "week":
      return fromWall({ year, month, day: day - weekday + 7 * shift }, tz)
    case "month":
      return fromWall({ year, month: month + shift, day: 1 }, tz)
    case "year":
      return fromWall({ year: year + shift, month: 1, day: 1 }, tz)
    default:
      return parseDate(text, shift, tz)
  }
}

function parseDate(text: string, shift: number, tz: string): number | undefined {
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
