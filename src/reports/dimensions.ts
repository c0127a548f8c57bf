import type { Bind } from "./_sql.ts"
import { toDate, toOffsetIso } from "./_zone.ts"
import type { ColumnName, Source } from "./sources.ts"

export type Value = string | number | null

/** One way to cut the requests up. */
export interface Dimension {
  /** The field's name in JSON and CSV. */
  readonly name: string
  /** The column's head. */
  readonly title: string
  /** What the rows of a source are grouped by; undefined: it does not know that. */
  sql(source: Source, bind: Bind, tz: string): string | undefined
  /** What the database gave -> what JSON and CSV say. */
  toValue(raw: unknown, tz: string): Value
  /** Time goes forward; everything else goes by cost. */
  readonly order: "time" | "cost"
  /** The name, when it is a metadata name. */
  readonly metadata?: string
}

function text(name: ColumnName, title: string): Dimension {
  const toValue = (raw: unknown) => (raw === null ? null : String(raw))
  return { name, title, order: "cost", sql: ({ columns }) => columns[name], toValue }
}

/** `bucket` is the wall time at which a row's bucket begins; buckets are told apart by it. */
function time(name: string, title: string, format: (wall: Date) => string): Dimension {
  return {
    name,
    title,
    order: "time",
    sql: ({ at }, bind, tz) => `date_trunc('${name}', ${at} AT TIME ZONE ${bind(tz)}::text)::text`,
    toValue: (raw) => format(new Date(`${String(raw).slice(0, 10)}T00:00:00Z`)),
  }
}

const isoDay = (wall: Date) => wall.toISOString().slice(0, 10)

/** `2026-W47`: the ISO week, which begins on Monday and belongs to the year of its Thursday. */
function isoWeek(monday: Date): string {
  const thursday = new Date(monday.getTime() + 3 * 86_400_000)
  const year = thursday.getUTCFullYear()
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * 86_400_000)) + 1
  return `${year}-W${String(week).padStart(2, "0")}`
}

/** Every dimension that is not a metadata name. */
export const DIMENSIONS: Readonly<Record<string, Dimension>> = {
  model: text("model", "Model"),
  provider: text("provider", "Provider"),
  key: text("key", "Key"),
  hour: {
    name: "hour",
    title: "Hour",
    order: "time",
    // By moment, for a wall shows one hour twice a year; and by the wall's minutes, for some zones are off by 30.
    sql: ({ at }, bind, tz) => {
      const wall = `(${at} AT TIME ZONE ${bind(tz)}::text)`
      return `extract(epoch FROM ${at} - (${wall} - date_trunc('hour', ${wall})))::bigint`
    },
    toValue: (raw, tz) => toOffsetIso(Number(raw) * 1000, tz),
  },
  day: time("day", "Day", isoDay),
  week: time("week", "Week", isoWeek),
  month: time("month", "Month", (wall) => isoDay(wall).slice(0, 7)),
  status: {
    name: "status",
    title: "Status",
    order: "cost",
    sql: ({ columns }) => columns.status,
    toValue: (raw) => Number(raw),
  },
  outcome: text("outcome", "Outcome"),
}

/** A metadata name as the gateway stores it: `user-id` is `User-Id`. */
export function metadataDimension(name: string): Dimension {
  const stored = toTrainCase(name)
  return {
    name: stored,
    title: stored,
    order: "cost",
    metadata: stored,
    sql: (source, bind) => source.metadata?.(stored, bind),
    toValue: (raw) => (raw === null || raw === undefined ? null : String(raw)),
  }
}

export function toTrainCase(name: string): string {
  return name.toLowerCase().replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase())
}

/** Every day from `since` to `until`, so that a chart has its gaps. */
export function listDays(since: number, until: number, tz: string): string[] {
  const last = toDate(until - 1, tz)
  const end = Date.UTC(last.year, last.month - 1, last.day)
  const first = toDate(since, tz)
  const days: string[] = []
  for (let at = Date.UTC(first.year, first.month - 1, first.day); at <= end; at += 86_400_000) {
    days.push(isoDay(new Date(at)))
  }
  return days
}
