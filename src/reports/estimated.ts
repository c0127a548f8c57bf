import { BILL, createStatement, type Statement } from "./_sql.ts"
import { toCondition } from "./filters.ts"
import type { Period } from "./period.ts"

/** The states that a report counts as estimated, as the measure of the same name does (`sources.ts`). */
const ESTIMATED = "r.cost_status IN ('estimated', 'inconsistent')"

/**
 * Builds the statement that adds up the bill of the requests whose cost is estimated. Rollups count these requests, and only
 * the rows have their cost: requests that were pruned are missing.
 */
export function askEstimatedCost(period: Period): Statement {
  return createStatement((bind) => {
    const where = toCondition({ filters: {}, span: period }, bind)
    return `SELECT trim_scale(${BILL})::text AS cost FROM llm_requests r WHERE ${where} AND ${ESTIMATED}`
  })
}

/** Reads the row of `askEstimatedCost`: USD as a plain decimal. */
export function readEstimatedCost([row]: readonly Record<string, unknown>[]): string {
  return String(row?.["cost"] ?? "0")
}
