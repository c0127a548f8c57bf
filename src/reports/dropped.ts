import { createStatement, IS_UNUSUAL, type Statement, TIME } from "./_sql.ts"
import type { Period } from "./period.ts"

/** Builds the statement that counts the requests of a period that have no row, because their rows were dropped. */
export function askDropped({ since, until }: Period & { readonly until: number }): Statement {
  return createStatement((bind) => {
    const [from, to] = [since, until].map((at) => `${bind(new Date(at).toISOString())}::timestamptz`)
    return `SELECT coalesce(sum((r.usage ->> 'dropped')::bigint), 0)::text AS dropped FROM llm_requests r
    WHERE ${IS_UNUSUAL} AND r.outcome = 'gap' AND ${TIME} >= ${from} AND ${TIME} < ${to}`
  })
}

/** Reads the row of `askDropped`. */
export function readDropped([row]: readonly Record<string, unknown>[]): number {
  return Number(row?.["dropped"] ?? 0)
}
