import { COUNTERS, type Counter } from "./counters.ts"

/** The rollup of agent runs by hour and run. Unlike the other rollups, it goes when its requests are pruned. */
export const RUN_ROLLUP = "llm_usage_runs"

/** The id of a request's run, as in the indexes of migration 0017; NULL: it belongs to no run. */
export const RUN_ID = "coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', ''))"

const IS_SUBSCRIBED = "billing = 'subscription'"
const IS_BILLED = "billing IS DISTINCT FROM 'subscription'"
/** The Go gateway stored a cost of 0 for requests without a price. */
const IS_PRICED = "cost_status <> 'unpriced'"

const toCount = (name: string, where: string): Counter => ({ name, type: "bigint", of: { count: true, where } })
const toCost = (name: string, where: string): Counter => ({ name, type: "numeric", of: { sum: "total_cost", where } })

/**
 * The counters of a run, in the order of their columns. `priced` and `subscription_priced` count the requests whose cost is
 * part of the sums. A change here needs a migration, as for `COUNTERS`.
 */
export const RUN_COUNTERS: readonly Counter[] = [
  ...["requests", "errors", "input_tokens", "cached_tokens", "cache_creation_tokens", "output_tokens"].map(findCounter),
  toCount("unpriced", "cost_status = 'unpriced'"),
  toCount("estimated", "cost_status IN ('estimated', 'inconsistent')"),
  toCost("total_cost", `${IS_PRICED} AND ${IS_BILLED}`),
  toCount("priced", `total_cost IS NOT NULL AND ${IS_PRICED} AND ${IS_BILLED}`),
  toCount("subscription_requests", IS_SUBSCRIBED),
  toCost("subscription_value", `${IS_PRICED} AND ${IS_SUBSCRIBED}`),
  toCount("subscription_priced", `total_cost IS NOT NULL AND ${IS_PRICED} AND ${IS_SUBSCRIBED}`),
]

function findCounter(name: string): Counter {
  return COUNTERS.find((counter) => counter.name === name)!
}

/**
 * The key of a run in the rollup, from a column with its id. An index limits its entries, so the key of a long id is its
 * beginning and a digest: 319 characters, which no other key has.
 */
export function toRunKey(id: string): string {
  return `CASE WHEN length(${id}) > 255 THEN left(${id}, 255) || encode(sha256(convert_to(${id}, 'UTF8')), 'hex') ELSE ${id} END`
}
