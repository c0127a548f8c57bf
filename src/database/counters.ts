import { FAILED_OUTCOMES } from "../core/call.ts"

/** A number that every rollup table keeps about its requests. */
export interface Counter {
  readonly name: string
  /** The version of the schema that added the column. undefined: it is as old as its tables. */
  readonly addedIn?: number
  /** `numeric` where a provider's absurd token count must not overflow the total, and with it fail the batch. */
  readonly type: "bigint" | "numeric"
  /** `count`: the requests for which `where` holds, or all. `sum`: the total of an expression over such rows of llm_requests. */
  readonly of:
    | { readonly count: true; readonly where?: string }
    /** `isHistogram`: each value is a power of ten (core/latency.ts), so that the total has hundreds of digits. */
    | { readonly sum: string; readonly where?: string; readonly isHistogram?: true }
}

/** The requests that are on the bill. All others belong to a subscription, and have counters of their own. */
const IS_BILLED = "billing IS DISTINCT FROM 'subscription'"
const IS_SUBSCRIBED = "billing = 'subscription'"
const FAILED = FAILED_OUTCOMES.map((name) => `'${name}'`).join(", ")

/**
 * The one list of counters, in the order of their columns. A change here needs a migration that adds the column and
 * replaces the functions: migrations/README.md says how.
 */
export const COUNTERS: readonly Counter[] = [
  { name: "requests", type: "bigint", of: { count: true } },
  {
    name: "errors",
    type: "bigint",
    of: { count: true, where: `status_code >= 400 OR outcome IN (${FAILED})` },
  },
  { name: "input_tokens", type: "numeric", of: { sum: "input_tokens" } },
  { name: "cached_tokens", type: "numeric", of: { sum: "cached_tokens" } },
  { name: "cache_creation_tokens", type: "numeric", of: { sum: "cache_creation_tokens" } },
  { name: "cache_creation_1h_tokens", type: "numeric", of: { sum: "cache_creation_1h_tokens" } },
  { name: "output_tokens", type: "numeric", of: { sum: "output_tokens" } },
  { name: "reasoning_tokens", type: "numeric", of: { sum: "reasoning_tokens" } },
  { name: "input_cost", type: "numeric", of: { sum: "input_cost", where: IS_BILLED } },
  { name: "output_cost", type: "numeric", of: { sum: "output_cost", where: IS_BILLED } },
  { name: "total_cost", type: "numeric", of: { sum: "total_cost", where: IS_BILLED } },
  { name: "without_cost", type: "bigint", of: { count: true, where: `total_cost IS NULL AND ${IS_BILLED}` } },
  { name: "exact", type: "bigint", of: { count: true, where: "cost_status = 'exact'" } },
  { name: "estimated", type: "bigint", of: { count: true, where: "cost_status = 'estimated'" } },
  { name: "unpriced", type: "bigint", of: { count: true, where: "cost_status = 'unpriced'" } },
  { name: "free", type: "bigint", of: { count: true, where: "cost_status = 'free'" } },
  { name: "inconsistent", type: "bigint", of: { count: true, where: "cost_status = 'inconsistent'" } },
  { name: "response_time_ms", type: "numeric", of: { sum: "response_time_ms::bigint" } },
  {
    name: "latencies",
    addedIn: 13,
    type: "numeric",
    of: { sum: "majordomo_latency(outcome, response_time_ms)", isHistogram: true },
  },
  { name: "subscription_requests", addedIn: 16, type: "bigint", of: { count: true, where: IS_SUBSCRIBED } },
  { name: "subscription_value", addedIn: 16, type: "numeric", of: { sum: "total_cost", where: IS_SUBSCRIBED } },
  {
    name: "subscription_without_value",
    addedIn: 16,
    type: "bigint",
    of: { count: true, where: `total_cost IS NULL AND ${IS_SUBSCRIBED}` },
  },
]

/** Returns the expression that counts rows of llm_requests, under the counter's name. */
export function toCounted({ name, of }: Counter): string {
  return `${"sum" in of ? `coalesce(sum(${of.sum})${toFilter(of)}, 0)` : `count(*)${toFilter(of)}`} AS ${name}`
}

export function toFilter({ where }: { readonly where?: string }): string {
  return where === undefined ? "" : ` FILTER (WHERE ${where})`
}

/** The tables that have a column for each counter, with the columns of their primary keys. */
export const ROLLUP_TABLES: readonly { readonly name: string; readonly about: string; readonly key: string[] }[] = [
  {
    name: "llm_usage_hourly",
    about: "Totals by hour, provider and model.",
    key: ["hour timestamptz", "provider text", "model text"],
  },
  {
    name: "llm_usage_hourly_keys",
    about: "Totals by hour and API key: the hours by which a day of another time zone differs from a day of UTC.",
    key: ["hour timestamptz", "majordomo_api_key_id uuid"],
  },
  {
    name: "llm_usage_daily",
    about: "Totals by day, API key, provider and model.",
    key: ["day date", "majordomo_api_key_id uuid", "provider text", "model text"],
  },
  {
    name: "llm_usage_metadata",
    about:
      "Totals by day and value of an active metadata name. After 10,000 values in a day, further ones are '(other)'.",
    key: ["name text", "day date", "value text"],
  },
  {
    name: "llm_usage_metadata_weekly",
    about: "The totals of llm_usage_metadata by week (its Monday), for the days before majordomo_schema.folded_before.",
    key: ["name text", "week date", "value text"],
  },
]
