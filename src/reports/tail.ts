import { createStatement, type Statement } from "./_sql.ts"
import { type Filters, toCondition } from "./filters.ts"
import { REQUEST_COLUMNS, REQUEST_TABLES } from "./requests.ts"

/** How long after the end of a request its row may still arrive and be seen, ms. */
export const OVERLAP_MS = 60_000

/**
 * The rows since a moment that were not seen yet, newest first. Rows arrive a little out of order (several gateways, a
 * batch that waited), so each look goes back over the same minute and leaves out what it knows.
 */
export function askNew({
  filters,
  since,
  seen,
  limit,
}: {
  readonly filters: Filters
  readonly since: number
  readonly seen: readonly string[]
  readonly limit: number
}): Statement {
  return createStatement((bind) => {
    const condition = toCondition({ filters, span: { since } }, bind)
    return `SELECT ${REQUEST_COLUMNS}, k.name AS key_name ${REQUEST_TABLES} WHERE ${condition}
      AND r.id <> ALL (${bind(seen)}::uuid[]) ORDER BY r.created_at DESC, r.id DESC LIMIT ${bind(limit)}`
  })
}
