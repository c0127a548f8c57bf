import {
  type Dimension,
  type Measures,
  toOffsetIso,
  type UsageAnswer,
  type UsageQuestion,
  type UsageRow,
} from "../../reports/index.ts"
import { OVERVIEW_BY, type Overview } from "./overview.ts"

export { type Measures, toOffsetIso }

/** The numbers of a report, in the order in which JSON and CSV show them. */
export const MEASURES = [
  "requests",
  "errors",
  "input_tokens",
  "cached_tokens",
  "cache_creation_tokens",
  "output_tokens",
  "total_cost",
  "share",
  "exact",
  "estimated",
  "unpriced",
] as const satisfies readonly (keyof Measures)[]

interface Report {
  readonly question: Pick<UsageQuestion, "by" | "period" | "filters">
  readonly notes: readonly string[]
  /** The time at which an open period ended, ms since the epoch. */
  readonly now: number
  /** Rows that wait in the journal, so that the report does not count them. */
  readonly pendingRows: number
}

/** Returns the JSON form of a usage report. */
export function toReportObject(report: Report & { readonly answer: UsageAnswer }): Record<string, unknown> {
  const { question, answer } = report
  const rows = toRowObjects(question.by, answer)
  return { ...toQuestionObject(report), rows, total: toMeasureObject(answer.total), ...toNoteFields(report) }
}

/** Returns the JSON form of an overview. */
export function toOverviewObject(
  overview: Overview,
  { now, pendingRows }: Pick<Report, "now" | "pendingRows">,
): Record<string, unknown> {
  const { question, current, before, days, models, keys, unpricedModels, notes } = overview
  return {
    ...toQuestionObject({ question, now }),
    rows: [],
    total: toMeasureObject(current.total),
    before: toMeasureObject(before.total),
    days: toRowObjects(OVERVIEW_BY.day, days),
    models: toRowObjects(OVERVIEW_BY.model, models),
    keys: toRowObjects(OVERVIEW_BY.key, keys),
    unpriced_models: unpricedModels,
    ...toNoteFields({ notes, pendingRows }),
  }
}

/** Returns a row's dimensions by name. A key has its id as well, because two keys may have one name. */
export function toDimensionFields(
  by: readonly Dimension[],
  row: Pick<UsageRow, "values" | "keyId">,
): Record<string, unknown> {
  // Without a prototype, a metadata name such as `__proto__` is a field like any other.
  const fields: Record<string, unknown> = Object.create(null)
  by.forEach(({ name }, i) => {
    fields[name] = row.values[i] ?? null
    if (name === "key") fields["key_id"] = row.keyId ?? null
  })
  return fields
}

/** Returns what was asked: the head of every usage object. */
export function toQuestionObject({ question: { by, period, filters }, now }: Pick<Report, "question" | "now">) {
  return {
    since: toOffsetIso(period.since, period.tz),
    until: toOffsetIso(period.until ?? now, period.tz),
    tz: period.tz,
    by: by.map(({ name }) => name),
    filters: Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined)),
  }
}

function toRowObjects(by: readonly Dimension[], { rows }: UsageAnswer): Record<string, unknown>[] {
  return rows.map((row) => ({ ...toDimensionFields(by, row), ...toMeasureObject(row) }))
}

function toMeasureObject(measures: Measures): Record<string, unknown> {
  return Object.fromEntries(MEASURES.map((name) => [name, measures[name]]))
}

/** Most reports have no notes and no pending rows, and then they do not have these fields either. */
export function toNoteFields({ notes, pendingRows }: Pick<Report, "notes" | "pendingRows">): Record<string, unknown> {
  return { ...(notes.length > 0 && { notes }), ...(pendingRows > 0 && { pending_rows: pendingRows }) }
}
