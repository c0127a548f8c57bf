import { type Bind, IS_ERROR, IS_SUBSCRIBED } from "./_sql.ts"
import { type Filters, type Span, toCondition } from "./filters.ts"
import type { Period } from "./period.ts"
import { splitPeriod } from "./plan.ts"
import type { RollupState } from "./rollup-state.ts"
import { RUN_ID } from "./run-id.ts"
import { HOURLY } from "./sources.ts"

/** Chooses the requests in the period. Runs consist of these requests only. */
export interface RunChoice {
  readonly filters: Filters
  readonly period: Period
}

const IS_PRICED = "r.total_cost IS NOT NULL AND r.cost_status <> 'unpriced'"
const count = (where: string) => `count(*) FILTER (WHERE ${where})`
const sum = (expression: string) => `coalesce(sum(r.${expression}), 0)`
const addCosts = (where: string) => `coalesce(sum(r.total_cost) FILTER (WHERE ${IS_PRICED} AND ${where}), 0)`

/** The columns of the rollup `llm_usage_runs` that are added up, and the same of requests. */
const SUMS = {
  requests: "count(*)",
  errors: count(IS_ERROR),
  unpriced: count("r.cost_status = 'unpriced'"),
  estimated: count("r.cost_status IN ('estimated', 'inconsistent')"),
  input_tokens: sum("input_tokens"),
  cached_tokens: sum("cached_tokens"),
  cache_creation_tokens: sum("cache_creation_tokens"),
  output_tokens: sum("output_tokens"),
  total_cost: addCosts(`NOT ${IS_SUBSCRIBED}`),
  priced: count(`${IS_PRICED} AND NOT ${IS_SUBSCRIBED}`),
  subscription_requests: count(IS_SUBSCRIBED),
  subscription_value: addCosts(IS_SUBSCRIBED),
  subscription_priced: count(`${IS_PRICED} AND ${IS_SUBSCRIBED}`),
} as const

/** What an answer computes from these columns, so that it does not show them. */
const HIDDEN: readonly string[] = ["total_cost", "priced", "subscription_value", "subscription_priced"]

export const RUN_FIRST = "min(started_at)"
export const RUN_LAST = "max(ended_at)"
/** The cost of the billed requests of a run; NULL if there are such, and none has a known price. */
export const RUN_COST = toCost("requests - subscription_requests", "priced", "total_cost")
const VALUE = toCost("subscription_requests", "subscription_priced", "subscription_value")

/** The columns of a run except its id, as aggregates over the cells of a run. */
export const RUN_TOTALS = [
  ...Object.keys(SUMS).flatMap((name) => (HIDDEN.includes(name) ? [] : [`sum(${name}) AS ${name}`])),
  `trim_scale(${RUN_COST}) AS total_cost, trim_scale(${VALUE}) AS subscription_value`,
  `${RUN_FIRST} AS first, ${RUN_LAST} AS last`,
].join(", ")

function toCost(requests: string, priced: string, cost: string): string {
  return `CASE WHEN sum(${requests}) = 0 THEN 0 WHEN sum(${priced}) > 0 THEN sum(${cost}) END`
}

/** Returns the columns of a cell, computed from requests. */
export function toRunMeasures(): string {
  const sums = Object.entries(SUMS).map(([name, sql]) => `${sql} AS ${name}`)
  return [...sums, "min(r.requested_at) AS started_at", "max(r.created_at) AS ended_at"].join(", ")
}

/** Two queries that together contain the requests of each run (`trace`) in a period. */
interface RunCells {
  /** Groups of requests. A statement has it under the name `rows`. */
  readonly rows: string
  /** These groups, and whole hours of the rollup. A statement may contain it twice. */
  readonly cells: string
}

/** Returns the queries of cells, from the rollup where it can answer. */
export function toRunCells(
  { filters, period }: RunChoice,
  rollups: RollupState,
  bind: Bind,
  { onlyTraces = false } = {},
): RunCells {
  const { hours, edges } = planRuns({ filters, period }, rollups)
  const measures = onlyTraces ? "" : `, ${toRunMeasures()}`
  const ofSpan = (span: Span) => {
    const where = isOfAnyRun({ filters, span, indexed: rollups.indexed }, bind)
    return `SELECT ${RUN_ID} AS trace${measures} FROM llm_requests r WHERE ${where} GROUP BY 1`
  }
  // An empty span keeps the statement the same where no request is read.
  const rows = (edges.length > 0 ? edges : [{ since: 0, until: 0 }]).map(ofSpan).join("\nUNION ALL\n")
  if (hours === undefined) return { rows, cells: "SELECT * FROM rows" }
  const columns = onlyTraces ? [] : [...Object.keys(SUMS), "started_at", "ended_at"].map((name) => `r.${name}`)
  const where = toCondition({ filters: {}, span: hours, source: HOURLY }, bind)
  const ofHours = `SELECT ${["coalesce(r.long_id, r.run) AS trace", ...columns].join(", ")} FROM llm_usage_runs r WHERE ${where}`
  return { rows, cells: `${ofHours} UNION ALL SELECT * FROM rows` }
}

/** Returns whether a list of runs, or their number, is read from the rollup. */
export function readsRunRollup(choice: RunChoice, rollups: RollupState): boolean {
  return planRuns(choice, rollups).hours !== undefined
}

/** Returns the condition for a request of a span that belongs to a run. */
export function isOfAnyRun(choice: Parameters<typeof toCondition>[0], bind: Bind): string {
  return `${toCondition(choice, bind)} AND ${RUN_ID} IS NOT NULL`
}

interface RunPlan {
  /** The whole hours that are read from the rollup; undefined: none. */
  readonly hours?: Span
  /** The spans that are read from the requests. */
  readonly edges: readonly Span[]
}

/**
 * Plans to read the rollup of runs, if it contains the period and there is no filter. The rollup goes when requests are pruned, which
 * takes a while, so that the time before is read from the requests that are left.
 */
function planRuns(
  { filters, period }: RunChoice,
  { runsSince, prunedBefore = Number.NEGATIVE_INFINITY }: RollupState,
): RunPlan {
  const { where = {}, ...others } = filters
  const isFiltered = Object.values(others).some((value) => value !== undefined) || Object.keys(where).length > 0
  const since = Math.max(period.since, prunedBefore)
  const { until } = period
  if (isFiltered || since < runsSince || (until !== undefined && until <= since)) return { edges: [period] }
  const splitting = { stepMs: HOURLY.stepMs, prunedBefore: undefined, canSubtract: false }
  const { span, edges } = splitPeriod({ since, until }, splitting)
  const left = since > period.since ? [{ since: period.since, until: since }] : []
  return { hours: span, edges: [...left, ...edges.map((edge) => edge.span)] }
}
