import { FAILED_OUTCOMES } from "../core/call.ts"

/** The text of a statement and its bound values. */
export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** Binds a value and returns its placeholder (`$1`). User input therefore never becomes part of the statement's text. */
export type Bind = (value: unknown) => string

/** Builds a statement from text that `write` returns, and collects the values that `write` binds. */
export function createStatement(write: (bind: Bind) => string): Statement {
  const values: unknown[] = []
  const bind = (value: unknown) => `$${values.push(value)}`
  return { text: write(bind), values }
}

/** The time that assigns a row to a period: when the request ended, as in a handwritten `DATE(created_at)`. */
export const TIME = "r.created_at"

/** The condition for a request that is not as nearly all are. An index contains these requests (migration 0014). */
export const IS_UNUSUAL = "(r.status_code <> 200 OR r.outcome <> 'complete')"

/** The condition for an error: the status says so, or the response is incomplete. */
export const IS_ERROR = `(r.status_code >= 400 OR r.outcome IN (${FAILED_OUTCOMES.map((name) => `'${name}'`).join(", ")}))`

/** The condition for a request that its provider does not bill by its tokens. */
export const IS_SUBSCRIBED = "(r.billing IS NOT DISTINCT FROM 'subscription')"

/** The cost of requests that their providers bill, and the API value of the others. Both are 0 if no cost is known. */
export const BILL = `coalesce(sum(r.total_cost) FILTER (WHERE NOT ${IS_SUBSCRIBED}), 0)`
export const SUBSCRIPTION_VALUE = `coalesce(sum(r.total_cost) FILTER (WHERE ${IS_SUBSCRIBED}), 0)`
