import { BILL, type Bind, IS_ERROR, IS_SUBSCRIBED, SUBSCRIPTION_VALUE, TIME } from "./_sql.ts"

/** A table that reports read numbers from: the requests themselves, or one of their rollups. */
export interface Source {
  readonly table: string
  /** The moment of a row as SQL: when the request ended, or when the time bucket of the rollup began. */
  readonly at: string
  /** The length of a time bucket, or 0 for the requests themselves. Buckets begin at full hours or midnights in UTC. */
  readonly stepMs: number
  /** The column for limits on `at`, and the type of such a limit, so that the database uses the column's index. */
  readonly bound: { readonly column: string; readonly type: "timestamptz" | "date" }
  /** The expressions to group and filter by. A column that is missing here is not contained in the source. */
  readonly columns: Readonly<Partial<Record<ColumnName, string>>>
  /** Returns the expression for the value of a metadata name. */
  metadata?(name: string, bind: Bind): string
  /** The expression of each measure: a column of one rollup row, or an aggregate over the requests. */
  readonly measures: Readonly<Record<MeasureName, string>>
}

export type ColumnName = "model" | "provider" | "key" | "status" | "outcome" | "billing" | "source"

/** The numbers of a usage report. Every source provides them. */
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
  "subscription_requests",
  "subscription_value",
  "subscription_without_value",
] as const

/** The numbers of a report on latency. `latencies` is a histogram as one number (core/latency.ts). */
export const LATENCY_MEASURES = ["requests", "errors", "latencies"] as const

export type MeasureName = (typeof MEASURE_NAMES | typeof LATENCY_MEASURES)[number]

const HOUR_MS = 3_600_000
const sum = (expression: string) => `coalesce(sum(${expression}), 0)`

const ROLLUP_MEASURES: Source["measures"] = {
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
  subscription_requests: "r.subscription_requests",
  subscription_value: "r.subscription_value",
  subscription_without_value: "r.subscription_without_value",
  latencies: "r.latencies",
}

/** The maximum length of names in rollups. Names read from rows are truncated to it too, so that both form the same groups. */
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
    billing: "coalesce(r.billing, 'api')",
    source: "coalesce(r.source, 'gateway')",
  },
  metadata: (name, bind) => `left(r.raw_metadata ->> ${bind(name)}::text, ${MAX_NAME})`,
  measures: {
    requests: "count(*)",
    errors: `count(*) FILTER (WHERE ${IS_ERROR})`,
    input_tokens: sum("r.input_tokens"),
    cached_tokens: sum("r.cached_tokens"),
    cache_creation_tokens: sum("r.cache_creation_tokens"),
    output_tokens: sum("r.output_tokens"),
    total_cost: BILL,
    without_cost: `count(*) FILTER (WHERE r.total_cost IS NULL AND NOT ${IS_SUBSCRIBED})`,
    exact: "count(*) FILTER (WHERE r.cost_status IN ('exact', 'free'))",
    estimated: "count(*) FILTER (WHERE r.cost_status IN ('estimated', 'inconsistent'))",
    unpriced: "count(*) FILTER (WHERE r.cost_status = 'unpriced')",
    subscription_requests: `count(*) FILTER (WHERE ${IS_SUBSCRIBED})`,
    subscription_value: SUBSCRIPTION_VALUE,
    subscription_without_value: `count(*) FILTER (WHERE r.total_cost IS NULL AND ${IS_SUBSCRIBED})`,
    latencies: sum("majordomo_latency(r.outcome, r.response_time_ms)"),
  },
}

export const HOURLY: Source = {
  table: "llm_usage_hourly",
  at: "r.hour",
  stepMs: HOUR_MS,
  bound: { column: "r.hour", type: "timestamptz" },
  columns: { model: "r.model", provider: "r.provider" },
  measures: ROLLUP_MEASURES,
}

/** The hourly rollup by key, which provides the hours that a daily rollup does not contain. */
export const HOURLY_KEYS: Source = {
  ...HOURLY,
  table: "llm_usage_hourly_keys",
  columns: { key: "nullif(r.majordomo_api_key_id, '00000000-0000-0000-0000-000000000000')" },
}

const BY_DAY = {
  at: "(r.day::timestamp AT TIME ZONE 'UTC')",
  stepMs: 24 * HOUR_MS,
  bound: { column: "r.day", type: "date" },
  measures: ROLLUP_MEASURES,
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

/** The rollup of metadata values. A statement must restrict it with `r.name = …`. weeks.ts uses its weekly rollup. */
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
