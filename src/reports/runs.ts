import { createStatement, IS_ERROR, IS_SUBSCRIBED, type Statement } from "./_sql.ts"
import { type Filters, toCondition } from "./filters.ts"
import type { Period } from "./period.ts"
import { NO_ROLLUPS, type RollupState } from "./rollup-state.ts"
import { RUN_ID, RUN_NAMES } from "./run-id.ts"

const STEP = `split_part(ltrim(r.raw_metadata ->> '${RUN_NAMES.path}', '/'), '/', 1)`
const LABEL = `coalesce(nullif(${STEP}, ''), nullif(r.raw_metadata ->> '${RUN_NAMES.span}', ''), r.model)`

/** One run of an agent: all requests with the same trace, or with the same session and no trace. */
export interface Run {
  /** The trace, or the session. */
  readonly trace: string
  readonly requests: number
  readonly errors: number
  readonly unpriced: number
  readonly estimated: number
  /** Milliseconds from the start of the first request to the end of the last one. */
  readonly duration_ms: number
  readonly input_tokens: number
  readonly output_tokens: number
  /** USD as a plain decimal. Null means that none of the billed requests has a known price. */
  readonly total_cost: string | null
  /** The start of the first request, in ISO 8601 and UTC. */
  readonly first: string
  /** The end of the last request, in ISO 8601 and UTC. */
  readonly last: string
  readonly cached_tokens: number
  readonly cache_creation_tokens: number
  readonly subscription_requests: number
  /** What the API would have charged for them, in USD. Null means that it is not known. */
  readonly subscription_value: string | null
  /** The outermost step of its first request, or else the name of that request or its model; only if it is asked for. */
  readonly label?: string
}

/** The fields of a run in JSON and CSV, in their order. */
export const RUN_FIELDS = [
  "trace",
  "requests",
  "errors",
  "unpriced",
  "estimated",
  "duration_ms",
  "input_tokens",
  "output_tokens",
  "total_cost",
  "first",
  "last",
  "cached_tokens",
  "cache_creation_tokens",
  "subscription_requests",
  "subscription_value",
] as const satisfies readonly (keyof Run)[]

export const RUN_SORTS = ["time", "cost", "requests", "errors", "duration"] as const
export type RunSort = (typeof RUN_SORTS)[number]

const ORDERS: Readonly<Record<RunSort, string>> = {
  time: "last DESC",
  cost: "total_cost DESC NULLS LAST",
  requests: "requests DESC",
  errors: "errors DESC",
  duration: "last - first DESC",
}

interface RunsQuestion {
  readonly filters: Filters
  readonly period: Period
  readonly sort?: RunSort | undefined
  readonly limit: number
  /** Adds the labels, which nearly doubles the time. */
  readonly withLabels?: boolean | undefined
}

/** Adds up the known costs of the requests for which a condition holds: NULL if there are such, and none has a known price. */
const toTotal = (condition: string) =>
  `trim_scale(CASE WHEN count(*) FILTER (WHERE ${condition}) = 0 THEN 0
    ELSE sum(r.total_cost) FILTER (WHERE r.cost_status <> 'unpriced' AND ${condition}) END)`

/** Selects the runs with at least one request in the period. By default, the newest runs come first. */
export function askRuns(
  { filters, period, sort = "time", limit, withLabels = false }: RunsQuestion,
  { indexed }: RollupState = NO_ROLLUPS,
): Statement {
  const label = withLabels ? `(array_agg(${LABEL} ORDER BY r.requested_at, r.id))[1] AS label, ` : ""
  return createStatement(
    (bind) => `SELECT *, count(*) OVER () AS total FROM (
  SELECT ${RUN_ID} AS trace, ${label}count(*) AS requests, count(*) FILTER (WHERE ${IS_ERROR}) AS errors,
    count(*) FILTER (WHERE r.cost_status = 'unpriced') AS unpriced,
    count(*) FILTER (WHERE r.cost_status IN ('estimated', 'inconsistent')) AS estimated,
    sum(r.input_tokens) AS input_tokens, sum(r.cached_tokens) AS cached_tokens,
    sum(r.cache_creation_tokens) AS cache_creation_tokens, sum(r.output_tokens) AS output_tokens,
    ${toTotal(`NOT ${IS_SUBSCRIBED}`)} AS total_cost, ${toTotal(IS_SUBSCRIBED)} AS subscription_value,
    count(*) FILTER (WHERE ${IS_SUBSCRIBED}) AS subscription_requests,
    min(r.requested_at) AS first, max(r.created_at) AS last
  FROM llm_requests r WHERE ${toCondition({ filters, span: period, indexed }, bind)} AND ${RUN_ID} IS NOT NULL GROUP BY 1
) runs ORDER BY ${ORDERS[sort]}, trace LIMIT ${bind(limit)}`,
  )
}

/** Converts a row that `askRuns` selects. */
export function readRun(row: Record<string, unknown>): Run {
  const count = (name: string) => Number(row[name] ?? 0)
  const first = new Date(row["first"] as Date)
  const last = new Date(row["last"] as Date)
  return {
    trace: String(row["trace"]),
    requests: count("requests"),
    errors: count("errors"),
    unpriced: count("unpriced"),
    estimated: count("estimated"),
    duration_ms: last.getTime() - first.getTime(),
    input_tokens: count("input_tokens"),
    output_tokens: count("output_tokens"),
    total_cost: toMoney(row["total_cost"]),
    first: first.toISOString(),
    last: last.toISOString(),
    cached_tokens: count("cached_tokens"),
    cache_creation_tokens: count("cache_creation_tokens"),
    subscription_requests: count("subscription_requests"),
    subscription_value: toMoney(row["subscription_value"]),
    ...(typeof row["label"] === "string" && { label: row["label"] }),
  }
}

function toMoney(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value)
}

/** Selects every request of one run, in the order in which they started. */
export function askRun(trace: string): Statement {
  return createStatement((bind) => {
    const where = toCondition({ filters: { trace } }, bind)
    return `SELECT r.id, r.requested_at, r.created_at, r.provider, r.model, r.status_code, r.outcome, ${IS_ERROR} AS is_error,
      r.input_tokens, r.output_tokens, trim_scale(r.total_cost)::text AS total_cost, r.cost_status, r.billing,
      r.raw_metadata ->> '${RUN_NAMES.path}' AS span_path, r.raw_metadata ->> '${RUN_NAMES.span}' AS span_name, r.raw_metadata ? '${RUN_NAMES.trace}' AS has_trace
    FROM llm_requests r WHERE ${where} ORDER BY r.requested_at, r.id`
  })
}
