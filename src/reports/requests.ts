import { type ColumnName, ROW_COLUMNS, type RowColumn } from "../core/row-columns.ts"
import { createStatement, type Statement } from "./_sql.ts"
import { type Filters, toCondition } from "./filters.ts"
import type { Period } from "./period.ts"

type FieldKind = "text" | "time" | "count" | "money" | "boolean" | "json"

const KIND_OF_SQL: Readonly<Record<RowColumn["sql"], FieldKind>> = {
  uuid: "text",
  text: "text",
  timestamptz: "time",
  integer: "count",
  bigint: "count",
  numeric: "money",
  boolean: "boolean",
  jsonb: "json",
}

/** Bodies are read for one request at a time. */
type FieldName = Exclude<ColumnName, "request_body" | "response_body">

/** The fields of a request in a report: a count is a number, money a plain decimal, anything else as it is stored. */
export const COLUMNS = Object.fromEntries(
  Object.entries(ROW_COLUMNS)
    .filter(([name]) => name !== "request_body" && name !== "response_body")
    .map(([name, { sql }]) => [name, KIND_OF_SQL[sql]]),
) as Readonly<Record<FieldName, FieldKind>>

export const REQUEST_COLUMNS = Object.entries(COLUMNS)
  .map(([name, kind]) => (kind === "money" ? `trim_scale(r.${name})::text AS ${name}` : `r.${name}`))
  .join(", ")
export const REQUEST_TABLES = "FROM llm_requests_full r LEFT JOIN api_keys k ON k.id = r.majordomo_api_key_id"

/** The position of a row when rows are read page by page, newest first. */
export interface RequestCursor {
  /** The time of the row in microseconds since the epoch, which a Date cannot represent. */
  readonly micros: string
  readonly id: string
}

/** Selects the newest rows, newest first: those before a cursor, without the first `offset` ones. */
export function askRequests({
  filters,
  period,
  limit,
  before,
  offset = 0,
}: {
  filters: Filters
  period?: Period
  limit: number
  before?: RequestCursor | undefined
  offset?: number | undefined
}): Statement {
  return createStatement((bind) => {
    const conditions = [toCondition({ filters, span: period }, bind)]
    if (before !== undefined) {
      const at = `to_timestamp(0) + ${bind(before.micros)}::bigint * interval '1 microsecond'`
      conditions.push(`(r.created_at, r.id) < (${at}, ${bind(before.id)}::uuid)`)
    }
    const micros = "(extract(epoch FROM r.created_at) * 1000000)::bigint AS created_at_micros"
    return `SELECT ${REQUEST_COLUMNS}, k.name AS key_name, ${micros} ${REQUEST_TABLES} WHERE ${conditions.join(" AND ")} ORDER BY r.created_at DESC, r.id DESC LIMIT ${bind(limit)} OFFSET ${bind(offset)}`
  })
}

/**
 * Selects the row of an id, with its bodies if the database contains them. If only the beginning of the id is given, it
 * selects up to two rows, so that the caller sees whether there are several.
 */
export function askRequest(id: string): Statement {
  const [first, last] = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"].map(
    (rest) => id + rest.slice(id.length),
  )
  return createStatement((bind) => {
    const isMeant =
      first === last ? `r.id = ${bind(id)}::uuid` : `r.id BETWEEN ${bind(first)}::uuid AND ${bind(last)}::uuid`
    return `SELECT ${REQUEST_COLUMNS}, k.name AS key_name, r.request_body, r.response_body ${REQUEST_TABLES} WHERE ${isMeant} LIMIT 2`
  })
}

/** The position of a row when rows are read page by page, oldest first. */
export interface BodyCursor {
  /** A timestamp text with microseconds, which a Date cannot represent. */
  readonly created_at: string
  readonly id: string
}

export interface BodyQuestion {
  readonly filters: Filters
  readonly period: Period
}

const HAS_BODIES = "(r.s3_key IS NOT NULL OR r.request_body IS NOT NULL OR r.response_body IS NOT NULL)"

/** Counts the requests with stored bodies. The result is one row with the column `requests`. */
export function countBodies({ filters, period }: BodyQuestion): Statement {
  return createStatement((bind) => {
    return `SELECT count(*)::int AS requests FROM llm_requests r WHERE ${toCondition({ filters, span: period }, bind)} AND ${HAS_BODIES}`
  })
}

/** Selects up to `limit` requests with stored bodies after the cursor, oldest first. */
export function askBodies(
  { filters, period }: BodyQuestion,
  { after, limit }: { after: BodyCursor | undefined; limit: number },
): Statement {
  return createStatement((bind) => {
    const conditions = [toCondition({ filters, span: period }, bind), HAS_BODIES]
    if (after)
      conditions.push(`(r.created_at, r.id) > (${bind(after.created_at)}::timestamptz, ${bind(after.id)}::uuid)`)
    return `SELECT r.id, r.requested_at, r.provider, r.model, r.request_path, r.status_code, r.request_body, r.response_body, r.s3_key,
      r.created_at::text AS created_at FROM llm_requests r WHERE ${conditions.join(" AND ")} ORDER BY r.created_at, r.id LIMIT ${bind(limit)}`
  })
}

/** Converts a row to an object with the names of its columns and `key_name`, in types that JSON represents exactly. */
export function toRequestObject(row: Record<string, unknown>): Record<string, unknown> {
  const object: Record<string, unknown> = {}
  for (const [name, kind] of Object.entries(COLUMNS)) {
    const value = row[name] ?? null
    if (value === null) object[name] = null
    else if (kind === "count") object[name] = Number(value)
    else if (kind === "time") object[name] = value instanceof Date ? value.toISOString() : value
    else object[name] = value
  }
  object["key_name"] = row["key_name"] ?? null
  return object
}
