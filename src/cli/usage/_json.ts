import {
  type Dimension,
  type Filters,
  type Measures,
  type Period,
  toOffsetIso,
  type UsageAnswer,
  type UsageRow,
} from "../../reports/index.ts"

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

/** The head of every usage object: what was asked. */
export function toQuestionObject(by: readonly Dimension[], period: Period, filters: Filters, now: number) {
  return {
    since: toOffsetIso(period.since, period.tz),
    until: toOffsetIso(period.until ?? now, period.tz),
    tz: period.tz,
    by: by.map(({ name }) => name),
    filters: Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== undefined)),
  }
}

export function toRowObjects(by: readonly Dimension[], { rows }: UsageAnswer): Record<string, unknown>[] {
  return rows.map((row) => ({ ...toDimensionFields(by, row), ...toMeasureObject(row) }))
}

export function toMeasureObject(measures: Measures): Record<string, unknown> {
  return Object.fromEntries(MEASURES.map((name) => [name, measures[name]]))
}

/** By name; a key also has its id, for two keys may have one name. */
export function toDimensionFields(by: readonly Dimension[], row: UsageRow): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  by.forEach(({ name }, i) => {
    fields[name] = row.values[i] ?? null
    if (name === "key") fields["key_id"] = row.keyId ?? null
  })
  return fields
}
