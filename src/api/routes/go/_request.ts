import { type RequestRow, toRequestObject } from "../../../operations/requests/row.ts"
import { toUsd } from "./_money.ts"

const TRACE_NAME = "Trace-Id"

/** The fields of a row that the Go gateway shows in a list, under the same names. */
const ITEM_FIELDS = [
  "majordomo_api_key_id",
  "response_time_ms",
  "input_tokens",
  "output_tokens",
  "cached_tokens",
  "cache_creation_tokens",
  "error_message",
  "cost_status",
] as const

/** Returns a request as an element of the Go gateway's list. A field without a value is left out, as there. */
export function toItem(row: RequestRow) {
  const request = toRequestObject(row)
  return withoutNulls({
    ...toHead(request),
    ...Object.fromEntries(ITEM_FIELDS.map((name) => [name, request[name]])),
    trace_id: readMetadata(request)[TRACE_NAME],
  })
}

/** Returns a request that failed as an element of the Go gateway's list of errors. */
export function toRecentError(row: RequestRow) {
  const request = toRequestObject(row)
  return withoutNulls({
    ...toHead(request),
    api_key_id: request["majordomo_api_key_id"],
    api_key_name: row["key_name"],
    error_message: request["error_message"],
  })
}

/** Returns everything about a request, under the Go gateway's names and in its types where it has the field. */
export function toDetail(row: RequestRow) {
  const { s3_key, usage: _usage, price: _price, ...request } = toRequestObject(row)
  const metadata = readMetadata(request)
  return withoutNulls({
    ...request,
    ...toHead(request),
    request_method: String(request["request_method"]),
    request_path: String(request["request_path"]),
    input_cost: toCost(request, "input_cost"),
    output_cost: toCost(request, "output_cost"),
    cache_creation_5m_tokens: Number(request["cache_creation_tokens"]) - Number(request["cache_creation_1h_tokens"]),
    body_s3_key: s3_key,
    trace_id: metadata[TRACE_NAME],
    span_path: metadata["Span-Path"],
    span_name: metadata["Span-Name"],
  })
}

type RequestObject = Readonly<Record<string, unknown>>

function toHead(request: RequestObject) {
  return {
    id: String(request["id"]),
    provider: String(request["provider"]),
    model: String(request["model"]),
    requested_at: String(request["requested_at"]),
    status_code: Number(request["status_code"]),
    total_cost: toCost(request, "total_cost"),
  }
}

/** The Go gateway stored 0 for a request without a price. */
function toCost(request: RequestObject, name: string): number | null {
  return request["cost_status"] === "unpriced" ? null : toUsd(request[name] as string | null)
}

function readMetadata(request: RequestObject): Readonly<Record<string, unknown>> {
  return (request["raw_metadata"] ?? {}) as Record<string, unknown>
}

/** Leaves out the fields without a value, except money: its null says that the cost is not known. */
function withoutNulls<T extends object>(fields: T): T {
  return Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => name.endsWith("_cost") || (value ?? undefined) !== undefined),
  ) as T
}
