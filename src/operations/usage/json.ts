import {
  type Dimension,
  listDays,
  type Measures,
  metadataDimension,
  type Period,
  toOffsetIso,
  type UsageAnswer,
  type UsageQuestion,
  type UsageRow,
} from "../../reports/index.ts"
import type { EmptyReason } from "./empty.ts"
import { OVERVIEW_BY, type Overview } from "./overview.ts"
import { NOTHING, toGroupId } from "./report.ts"

export { type Measures, type Period, toOffsetIso }

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
  "subscription_requests",
  "subscription_value",
] as const satisfies readonly (keyof Measures)[]

/** The measures of the period that a report is compared with. */
export const BEFORE_MEASURES = ["requests_before", "total_cost_before"] as const

/** The measures of a group, and its dimensions by name. */
type RowObject = Measures & Readonly<Record<string, unknown>>

/** What every report has in the form of JSON. Times are ISO 8601 with the offset of the time zone. */
export interface ReportHead {
  readonly since: string
  readonly until: string
  readonly tz: string
  readonly by: readonly string[]
  readonly filters: Readonly<Record<string, unknown>>
  /** The number of rows without the limit. */
  readonly groups: number
  readonly notes?: readonly string[]
  /** Rows that wait in the journal, so that the report does not count them. */
  readonly pending_rows?: number
  /** Why there are no requests; undefined: there are some. */
  readonly empty?: EmptyReason
}

/** A usage report in the form of JSON. */
export interface ReportObject extends ReportHead {
  readonly rows: readonly RowObject[]
  readonly total: Measures & Before
  /** The period that the report is compared with. */
  readonly compared_with?: Edges
}

interface Edges {
  readonly since: string
  readonly until: string
}

/** What a report that is compared with an earlier period says about that. */
interface Before {
  readonly requests_before?: number
  readonly total_cost_before?: string | null
}

/** An overview in the form of JSON. */
export interface OverviewObject extends ReportObject {
  readonly compared_with: Edges
  /** The total of that period. */
  readonly before: Measures
  readonly days: readonly RowObject[]
  readonly models: readonly RowObject[]
  readonly keys: readonly RowObject[]
  /** The numbers of models and keys without the limit. */
  readonly model_count: number
  readonly key_count: number
  /** The values of metadata with the highest cost, and the number of all values. A gateway of an older version has none. */
  readonly metadata?: readonly { readonly name: string; readonly rows: readonly RowObject[]; readonly count: number }[]
  readonly unpriced_models: readonly string[]
}

interface Report {
  readonly question: Pick<UsageQuestion, "by" | "period" | "filters" | "comparedWith">
  readonly notes: readonly string[]
  /** The time at which an open period ended, ms since the epoch. */
  readonly now: number
  readonly pendingRows: number
}

/** Returns the JSON form of a usage report. */
export function toReportObject(
  report: Report & { readonly answer: UsageAnswer; readonly before?: UsageAnswer | undefined },
): ReportObject {
  const { question, answer, before } = report
  const rows = toRowObjects(question.by, answer)
  const head = toQuestionObject(report)
  const total = toMeasureObject(answer.total)
  const rest = { groups: answer.groups, ...toNoteFields(report) }
  if (before === undefined) return { ...head, rows, total, ...rest }
  const earlier = new Map(before.rows.map((row) => [toGroupId(row), row]))
  const compared = rows.map((row, i) => ({ ...row, ...toBefore(earlier.get(toGroupId(answer.rows[i]!)) ?? NOTHING) }))
  const edges = toEdges(question.comparedWith!)
  return { ...head, compared_with: edges, rows: compared, total: { ...total, ...toBefore(before.total) }, ...rest }
}

const toBefore = ({ requests, total_cost }: Measures) => ({ requests_before: requests, total_cost_before: total_cost })

const toEdges = ({ since, until, tz }: Period): Edges => ({
  since: toOffsetIso(since, tz),
  until: toOffsetIso(until!, tz),
})

/** Returns the answer that a report in the form of JSON stands for. */
export function fromReportObject({ by, rows, total, groups }: ReportObject): UsageAnswer {
  return fromRowObjects(by, rows, total, groups)
}

/** Returns the JSON form of an overview. */
export function toOverviewObject(
  overview: Overview,
  { now, pendingRows }: Pick<Report, "now" | "pendingRows">,
): OverviewObject {
  const { question, current, comparedWith, before, days, models, keys, unpricedModels, notes } = overview
  return {
    ...toQuestionObject({ question, now }),
    rows: [],
    total: toMeasureObject(current.total),
    groups: 0,
    compared_with: toEdges(comparedWith),
    before: toMeasureObject(before.total),
    days: toRowObjects(OVERVIEW_BY.day, days),
    models: toRowObjects(OVERVIEW_BY.model, models),
    keys: toRowObjects(OVERVIEW_BY.key, keys),
    model_count: models.groups,
    key_count: keys.groups,
    metadata: overview.metadata.map(({ name, answer }) => ({
      name,
      rows: toRowObjects([metadataDimension(name)], answer),
      count: answer.groups,
    })),
    unpriced_models: unpricedModels,
    ...toNoteFields({ notes, pendingRows }),
  }
}

/** Returns the overview that its JSON form stands for. */
export function fromOverviewObject(object: OverviewObject): Overview {
  const { total, compared_with: compared, before, tz, days, models, keys } = object
  const period = { since: Date.parse(object.since), until: Date.parse(object.until), tz }
  return {
    question: { by: [], period, filters: {} },
    current: fromRowObjects([], [], total, 0),
    comparedWith: { since: Date.parse(compared.since), until: Date.parse(compared.until), tz },
    before: fromRowObjects([], [], before, 0),
    days: fromRowObjects(["day"], days, total, days.length),
    allDays: listDays(period.since, period.until, tz),
    models: fromRowObjects(["model"], models, total, object.model_count),
    keys: fromRowObjects(["key"], keys, total, object.key_count),
    metadata: (object.metadata ?? []).map(({ name, rows, count }) => ({
      name,
      answer: fromRowObjects([name], rows, total, count),
    })),
    unpricedModels: object.unpriced_models,
    notes: object.notes ?? [],
  }
}

function fromRowObjects(
  by: readonly string[],
  rows: readonly RowObject[],
  total: Measures,
  groups: number,
): UsageAnswer {
  return {
    rows: rows.map((row) => ({ ...row, ...fromDimensionFields(by, row) })),
    total,
    groups,
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

/** Returns the values of the dimensions of a row in the form of JSON, and the id of its key. */
export function fromDimensionFields(by: readonly string[], row: Readonly<Record<string, unknown>>) {
  return {
    values: by.map((name) => row[name] as UsageRow["values"][number]),
    keyId: (row["key_id"] as string | null | undefined) ?? undefined,
  }
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

function toRowObjects(by: readonly Dimension[], { rows }: UsageAnswer): RowObject[] {
  return rows.map((row) => ({ ...toDimensionFields(by, row), ...toMeasureObject(row) }))
}

function toMeasureObject(measures: Measures): Measures {
  return Object.fromEntries(MEASURES.map((name) => [name, measures[name]])) as unknown as Measures
}

/** Most reports have no notes and no pending rows, and then they do not have these fields either. */
export function toNoteFields({ notes, pendingRows }: Pick<Report, "notes" | "pendingRows">) {
  return { ...(notes.length > 0 && { notes }), ...(pendingRows > 0 && { pending_rows: pendingRows }) }
}
