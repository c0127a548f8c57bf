import { createStatement, IS_ERROR, type Statement } from "./_sql.ts"
import { toCondition } from "./filters.ts"
import { RUN_NAMES } from "./run-id.ts"

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

/** Converts a row that `askRuns` or `askTheseRuns` selects. */
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
