import { createTable } from "../core/table.ts"
import { toTrainCase } from "../core/train-case.ts"
import type { Bind } from "./_sql.ts"
import { toDate, toOffsetIso } from "./_zone.ts"
import type { ColumnName, Source } from "./sources.ts"

export type Value = string | number | null

/** One way to divide requests into groups. */
export interface Dimension {
  /** The name of the field in JSON and CSV. */
  readonly name: string
  /** The header of the column in a table. */
  readonly title: string
  /** Returns the SQL expression that groups the rows of a source, or undefined if the source does not contain it. */
  sql(source: Source, bind: Bind, tz: string): string | undefined
  /** Converts the value from the database to the value in JSON and CSV. */
  toValue(raw: unknown, tz: string): Value
  /** The default order of the groups: times ascending, everything else by descending cost. */
  readonly order: "time" | "cost"
  /**
   * The value of requests that are not unusual (`IS_UNUSUAL`), as SQL. Rollups do not contain such a dimension, but they
   * count all requests, and the unusual ones are few.
   */
  readonly usual?: string
  /** The metadata name, if the dimension is one. */
  readonly metadata?: string
}

function text(name: ColumnName, title: string): Dimension {
  const toValue = (raw: unknown) => (raw === null ? null : String(raw))
  return { name, title, order: "cost", sql: ({ columns }) => columns[name], toValue }
}

/** Groups by the local time at which the hour, day, week or month of a row begins. */
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

/** Formats an ISO week (`2026-W47`), which begins on Monday and belongs to the year of its Thursday. */
function isoWeek(monday: Date): string {
  const thursday = new Date(monday.getTime() + 3 * 86_400_000)
  const year = thursday.getUTCFullYear()
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * 86_400_000)) + 1
  return `${year}-W${String(week).padStart(2, "0")}`
}

/** All dimensions that are not metadata names. */
export const DIMENSIONS: Readonly<Record<string, Dimension>> = createTable({
  model: text("model", "Model"),
  provider: text("provider", "Provider"),
  key: text("key", "Key"),
  hour: {
    name: "hour",
    title: "Hour",
    order: "time",
    // Groups by moment and not by local time, because one local hour occurs twice a year. The minutes of the local time
    // are used because some zones have offsets of 30 minutes.
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
    usual: "200",
    toValue: (raw) => Number(raw),
  },
  outcome: { ...text("outcome", "Outcome"), usual: "'complete'::text" },
  billing: text("billing", "Billing"),
  source: text("source", "Source"),
})

/** Returns the dimension of a metadata name, which the gateway stores in Train-Case (`user-id` as `User-Id`). */
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

/** Lists every day from `since` to `until`, so that a chart also shows days without requests. */
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
