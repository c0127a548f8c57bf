import { type Bind, createStatement, type Statement } from "./_sql.ts"
import { toCondition } from "./filters.ts"
import { NO_ROLLUPS, type RollupState } from "./rollup-state.ts"
import { isSameRun, RUN_ID, RUN_NAMES } from "./run-id.ts"
import {
  isOfAnyRun,
  RUN_COST,
  RUN_FIRST,
  RUN_LAST,
  RUN_TOTALS,
  type RunChoice,
  toRunCells,
  toRunMeasures,
} from "./run-parts.ts"

export const RUN_SORTS = ["time", "cost", "requests", "errors", "duration"] as const
type RunSort = (typeof RUN_SORTS)[number]

/** The orders of runs, as aggregates over the cells of a run. */
const ORDERS: Readonly<Record<RunSort, string>> = {
  time: `${RUN_LAST} DESC`,
  cost: `${RUN_COST} DESC NULLS LAST`,
  requests: "sum(requests) DESC",
  errors: "sum(errors) DESC",
  duration: `${RUN_LAST} - ${RUN_FIRST} DESC`,
}

export interface RunsQuestion extends RunChoice {
  readonly sort?: RunSort | undefined
  readonly limit: number
  /** Adds the labels, for which the first request of each run in the list is read. */
  readonly withLabels?: boolean | undefined
}

/**
 * Selects the runs with at least one request in the period. By default, the newest runs come first. The runs are chosen by
 * the columns of their order alone, because adding up all columns of all runs takes several times as long.
 */
export function askRuns(question: RunsQuestion, rollups: RollupState = NO_ROLLUPS): Statement {
  const { sort = "time", limit } = question
  return createStatement((bind) => {
    const { rows, cells } = toRunCells(question, rollups, bind)
    const chosen = `SELECT trace FROM (${cells}) AS cells GROUP BY 1 ORDER BY ${ORDERS[sort]}, trace LIMIT ${bind(limit)}`
    const runs = `SELECT trace, row_number() OVER (ORDER BY ${ORDERS[sort]}, trace) AS place, ${RUN_TOTALS}
  FROM (${cells}) AS cells WHERE trace IN (SELECT trace FROM chosen) GROUP BY 1`
    return `WITH rows AS MATERIALIZED (\n${rows}\n), chosen AS MATERIALIZED (\n${chosen}\n)
SELECT runs.*${toLabel(question, rollups, bind)} FROM (\n${runs}\n) AS runs ORDER BY place`
  })
}

/** Counts the runs with at least one request in the period. The result is one row with the column `total`. */
export function countRuns(choice: RunChoice, rollups: RollupState = NO_ROLLUPS): Statement {
  return createStatement((bind) => {
    const { rows, cells } = toRunCells(choice, rollups, bind, { onlyTraces: true })
    // Several processes can group the requests, but not count(DISTINCT ...).
    return `WITH rows AS MATERIALIZED (\n${rows}\n)
SELECT count(*)::int AS total FROM (SELECT FROM (${cells}) AS cells GROUP BY trace) AS runs`
  })
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
  SELECT ${RUN_ID} AS trace, r.created_at FROM llm_requests r WHERE ${isOfAnyRun({ ...choice, span: choice.period, indexed }, bind)}
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
  rollups: RollupState = NO_ROLLUPS,
): Statement {
  return createStatement((bind) => {
    const where = isOfThisRun(question, rollups, bind)
    return `SELECT runs.trace, sums.*${toLabel(question, rollups, bind)} FROM unnest(${bind(traces)}::text[]) AS runs (trace)
CROSS JOIN LATERAL (
  SELECT ${RUN_TOTALS} FROM (SELECT ${toRunMeasures()} FROM llm_requests r WHERE ${where}) AS cells
) AS sums ORDER BY last DESC, trace`
  })
}

/** The condition for a request of the run in the row `runs`. */
function isOfThisRun({ filters, period }: RunChoice, { indexed }: RollupState, bind: Bind): string {
  return `${toCondition({ filters, span: period, indexed }, bind)} AND ${isSameRun("runs.trace")}`
}

const STEP = `split_part(ltrim(r.raw_metadata ->> '${RUN_NAMES.path}', '/'), '/', 1)`
const LABEL = `coalesce(nullif(${STEP}, ''), nullif(r.raw_metadata ->> '${RUN_NAMES.span}', ''), r.model)`

/** The column with the label of the run in the row `runs`, which its first request has. */
function toLabel(question: RunsQuestion, rollups: RollupState, bind: Bind): string {
  if (!question.withLabels) return ""
  return `, (SELECT ${LABEL} FROM llm_requests r WHERE ${isOfThisRun(question, rollups, bind)}
  ORDER BY r.requested_at, r.id LIMIT 1) AS label`
}
