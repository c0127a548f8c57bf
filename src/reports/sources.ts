import { type Bind, IS_ERROR, TIME } from "./_sql.ts"

/** Where numbers are read from: the requests themselves, or sums of them that the database keeps (schema.sql). */
export interface Source {
  readonly table: string
  /** The moment of a row: when the request ended, or when the stretch that was summed began. */
  readonly at: string
  /** How long a stretch is; 0: nothing was summed. Stretches begin at whole hours or midnights of UTC. */
  readonly stepMs: number
  /** The table's own column for `at`, and the type that a bound for it has, so that its index is used. */
  readonly bound: { readonly column: string; readonly type: "timestamptz" | "date" }
  /** What it can be divided and filtered by; what is not here it does not know. */
  readonly columns: Readonly<Partial<Record<ColumnName, string>>>
  /** The value of a metadata name. */
  metadata?(name: string, bind: Bind): string
  /** Of one row of sums; of the requests themselves, which are many, what they add up to. */
  readonly measures: Readonly<Record<MeasureName, string>>
}

export type ColumnName = "model" | "provider" | "key" | "status" | "outcome"

export const MEASURE_NAMES = [
  "requests",
  "errors",
  "input_tokens",
  "cached_tokens",
  "cache_creation_tokens",
  "output_tokens",
  "total_cost",
  "without_cost",
  "exact",
  "estimated",
  "unpriced",
] as const
export type MeasureName = (typeof MEASURE_NAMES)[number]

const HOUR_MS = 3_600_000
const sum = (expression: string) => `coalesce(sum(${expression}), 0)`

const SUMMED: Source["measures"] = {
  requests: "r.requests",
  errors: "r.errors",
  input_tokens: "r.input_tokens",
  cached_tokens: "r.cached_tokens",
  cache_creation_tokens: "r.cache_creation_tokens",
  output_tokens: "r.output_tokens",
  total_cost: "r.total_cost",
  without_cost: "r.without_cost",
  exact: "(r.exact + r.free)",
  estimated: "(r.estimated + r.inconsistent)",
  unpriced: "r.unpriced",
}

/** Sums hold names up to this length; what is read from rows is cut alike, so that both tell the same groups apart. */
export const MAX_NAME = 255

export const ROWS: Source = {
  table: "llm_requests",
  at: TIME,
  stepMs: 0,
  bound: { column: TIME, type: "timestamptz" },
  columns: {
    model: `left(r.model, ${MAX_NAME})`,
    provider: `left(r.provider, ${MAX_NAME})`,
    key: "r.majordomo_api_key_id",
    status: "r.status_code",
    outcome: "r.outcome",
  },
  metadata: (name, bind) => `left(r.raw_metadata ->> ${bind(name)}::text, ${MAX_NAME})`,
  measures: {
    requests: "count(*)",
    errors: `count(*) FILTER (WHERE ${IS_ERROR})`,
    input_tokens: sum("r.input_tokens"),
    cached_tokens: sum("r.cached_tokens"),
    cache_creation_tokens: sum("r.cache_creation_tokens"),
    output_tokens: sum("r.output_tokens"),
    total_cost: sum("r.total_cost"),
    without_cost: "count(*) FILTER (WHERE r.total_cost IS NULL)",
    exact: "count(*) FILTER (WHERE r.cost_status IN ('exact', 'free'))",
    estimated: "count(*) FILTER (WHERE r.cost_status IN ('estimated', 'inconsistent'))",
    unpriced: "count(*) FILTER (WHERE r.cost_status = 'unpriced')",
  },
}

export const HOURLY: Source = {
  table: "llm_usage_hourly",
  at: "r.hour",
  stepMs: HOUR_MS,
  bound: { column: "r.hour", type: "timestamptz" },
  columns: { model: "r.model", provider: "r.provider" },
  measures: SUMMED,
}

/** By key alone: what a day's sums cannot tell of its hours. */
export const HOURLY_KEYS: Source = {
  ...HOURLY,
  table: "llm_usage_hourly_keys",
  columns: { key: "nullif(r.majordomo_api_key_id, '00000000-0000-0000-0000-000000000000')" },
}

const BY_DAY = {
  at: "(r.day::timestamp AT TIME ZONE 'UTC')",
  stepMs: 24 * HOUR_MS,
  bound: { column: "r.day", type: "date" },
  measures: SUMMED,
} as const

export const DAILY: Source = {
  ...BY_DAY,
  table: "llm_usage_daily",
  columns: {
    model: "r.model",
    provider: "r.provider",
    key: "nullif(r.majordomo_api_key_id, '00000000-0000-0000-0000-000000000000')",
  },
}

/** Of one metadata name: what is read from it must say `r.name = …`. Its weeks are in a table of their own: weeks.ts. */
export const BY_METADATA: Source = {
  ...BY_DAY,
  table: "llm_usage_metadata",
  columns: {},
  metadata: () => "r.value",
}

export const BY_METADATA_WEEK: Source = {
  ...BY_METADATA,
  table: "llm_usage_metadata_weekly",
  at: "(r.week::timestamp AT TIME ZONE 'UTC')",
  stepMs: 7 * 24 * HOUR_MS,
  bound: { column: "r.week", type: "date" },
}
