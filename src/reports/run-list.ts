import { type Bind, createStatement, IS_ERROR, IS_SUBSCRIBED, type Statement } from "./_sql.ts"
import { type Filters, toCondition } from "./filters.ts"
import type { Period } from "./period.ts"
import { NO_ROLLUPS, type RollupState } from "./rollup-state.ts"
import { isSameRun, RUN_ID, RUN_NAMES } from "./run-id.ts"

export const RUN_SORTS = ["time", "cost", "requests", "errors", "duration"] as const
export type RunSort = (typeof RUN_SORTS)[number]

const ORDERS: Readonly<Record<RunSort, string>> = {
  time: "last DESC",
  cost: "total_cost DESC NULLS LAST",
  requests: "requests DESC",
  errors: "errors DESC",
  duration: "last - first DESC",
}

/** Chooses the requests in the period. Runs consist of these requests only. */
export interface RunChoice {
  readonly filters: Filters
  readonly period: Period
}

export interface RunsQuestion extends RunChoice {
  readonly sort?: RunSort | undefined
  readonly limit: number
  /** Adds the labels, which nearly doubles the time of `askRuns`. */
  readonly withLabels?: boolean | undefined
}

/** Selects the runs with at least one request in the period. By default, the newest runs come first. */
export function askRuns(question: RunsQuestion, { indexed }: RollupState = NO_ROLLUPS): Statement {
  const { sort = "time", limit } = question
  return createStatement(
    (bind) => `SELECT * FROM (
  SELECT ${RUN_ID} AS trace, ${toMeasures(question)} FROM llm_requests r WHERE ${isOfAnyRun(question, indexed, bind)} GROUP BY 1
) runs ORDER BY ${ORDERS[sort]}, trace LIMIT ${bind(limit)}`,
  )
}

/** Counts the runs with at least one request in the period. The result is one row with the column `total`. */
export function countRuns(choice: RunChoice, { indexed }: RollupState = NO_ROLLUPS): Statement {
  return createStatement(
    (bind) =>
      // Several processes can group the requests, but not count(DISTINCT ...).
      `SELECT count(*)::int AS total FROM (SELECT FROM llm_requests r WHERE ${isOfAnyRun(choice, indexed, bind)} GROUP BY ${RUN_ID}) runs`,
  )
}

/**
 * Finds the ids of the newest runs from the newest `rows` requests alone, which an index has in their order. `askTheseRuns`
 * then adds up their requests, so that the time depends on the number of these requests and not on the length of the period.
 *
 * The result is one row: `traces`, and `is_whole`, which says that there are no further requests. Otherwise, there may be
 * further runs with a request at the time of the oldest one that was read; such runs are left out.
 */
export function askNewestRuns(
  choice: RunChoice & { readonly limit: number },
  rows: number,
  { indexed }: RollupState = NO_ROLLUPS,
): Statement {
  return createStatement((bind) => {
    const limit = bind(rows)
    return `WITH newest AS MATERIALIZED (
  SELECT ${RUN_ID} AS trace, r.created_at FROM llm_requests r WHERE ${isOfAnyRun(choice, indexed, bind)}
  ORDER BY r.created_at DESC LIMIT ${limit}
), found AS MATERIALIZED (SELECT count(*) < ${limit} AS is_whole, min(created_at) AS oldest FROM newest)
SELECT is_whole, ARRAY(
  SELECT trace FROM newest GROUP BY trace HAVING is_whole OR max(created_at) > oldest
  ORDER BY max(created_at) DESC, trace LIMIT ${bind(choice.limit)}
) AS traces FROM found`
  })
}

/** Selects the runs with these ids, the newest first, as `askRuns` does. */
export function askTheseRuns(
  traces: readonly string[],
  question: RunsQuestion,
  { indexed }: RollupState = NO_ROLLUPS,
): Statement {
  return createStatement((bind) => {
    const where = toCondition({ filters: question.filters, span: question.period, indexed }, bind)
    return `SELECT wanted.trace, sums.* FROM unnest(${bind(traces)}::text[]) AS wanted (trace) CROSS JOIN LATERAL (
  SELECT ${toMeasures(question)} FROM llm_requests r WHERE ${where} AND ${isSameRun("wanted.trace")}
) AS sums ORDER BY ${ORDERS.time}, trace`
  })
}

function isOfAnyRun({ filters, period }: RunChoice, indexed: RollupState["indexed"], bind: Bind): string {
  return `${toCondition({ filters, span: period, indexed }, bind)} AND ${RUN_ID} IS NOT NULL`
}

const STEP = `split_part(ltrim(r.raw_metadata ->> '${RUN_NAMES.path}', '/'), '/', 1)`
const LABEL = `coalesce(nullif(${STEP}, ''), nullif(r.raw_metadata ->> '${RUN_NAMES.span}', ''), r.model)`

/** Returns the columns of a run except its id. */
function toMeasures({ withLabels = false }: RunsQuestion): string {
  const label = withLabels ? `(array_agg(${LABEL} ORDER BY r.requested_at, r.id))[1] AS label, ` : ""
  return `${label}count(*) AS requests, count(*) FILTER (WHERE ${IS_ERROR}) AS errors,
    count(*) FILTER (WHERE r.cost_status = 'unpriced') AS unpriced,
    count(*) FILTER (WHERE r.cost_status IN ('estimated', 'inconsistent')) AS estimated,
    sum(r.input_tokens) AS input_tokens, sum(r.cached_tokens) AS cached_tokens,
    sum(r.cache_creation_tokens) AS cache_creation_tokens, sum(r.output_tokens) AS output_tokens,
    ${toTotal(`NOT ${IS_SUBSCRIBED}`)} AS total_cost, ${toTotal(IS_SUBSCRIBED)} AS subscription_value,
    count(*) FILTER (WHERE ${IS_SUBSCRIBED}) AS subscription_requests,
    min(r.requested_at) AS first, max(r.created_at) AS last`
}

/** Adds up the known costs of the requests for which a condition holds: NULL if there are such, and none has a known price. */
function toTotal(condition: string): string {
  return `trim_scale(CASE WHEN count(*) FILTER (WHERE ${condition}) = 0 THEN 0
    ELSE sum(r.total_cost) FILTER (WHERE r.cost_status <> 'unpriced' AND ${condition}) END)`
}
