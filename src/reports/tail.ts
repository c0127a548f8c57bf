import { createStatement, type Statement } from "./_sql.ts"
import { type Filters, toCondition } from "./filters.ts"
import { REQUEST_COLUMNS, REQUEST_TABLES } from "./requests.ts"

/** How many milliseconds after the end of a request its row can arrive and still be shown. */
export const OVERLAP_MS = 60_000

/**
 * Selects the rows since a moment that were not shown yet, newest first. Rows can arrive out of order (from several
 * gateways, or in a batch that waited). Each query therefore covers the last minute again and excludes the ids in `seen`.
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
