import { createStatement, type Statement } from "./_sql.ts"
import { type Filters, toCondition } from "./filters.ts"
import { REQUEST_COLUMNS, REQUEST_TABLES } from "./requests.ts"

/** How many milliseconds after the end of a request its row can arrive and still be shown. */
export const OVERLAP_MS = 60_000

const SELECT = `SELECT ${REQUEST_COLUMNS}, k.name AS key_name ${REQUEST_TABLES} WHERE`

/** Selects the newest rows, newest first. */
export function askNewest({ filters, limit }: { readonly filters: Filters; readonly limit: number }): Statement {
  return createStatement(
    (bind) => `${SELECT} ${toCondition({ filters }, bind)} ORDER BY r.created_at DESC, r.id DESC LIMIT ${bind(limit)}`,
  )
}

/** Selects the ids of the rows of the last minute before the newest one, which `askNew` would find again. */
export function askKnown(filters: Filters): Statement {
  return createStatement((bind) => {
    const newest = `SELECT max(r.created_at) ${REQUEST_TABLES} WHERE ${toCondition({ filters }, bind)}`
    return `SELECT r.id, r.created_at ${REQUEST_TABLES} WHERE ${toCondition({ filters }, bind)}
      AND r.created_at >= (${newest}) - interval '${OVERLAP_MS} milliseconds'`
  })
}

/**
 * Selects the rows since a moment that were not shown yet, oldest first. Rows can arrive out of order (from several
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
    return `${SELECT} ${condition}
      AND r.id <> ALL (${bind(seen)}::uuid[]) ORDER BY r.created_at, r.id LIMIT ${bind(limit)}`
  })
}
