import type { LogRecord } from "./log-record.ts"

/**
 * How a value is written as JSON. `literal`: a text of the gateway's own, with nothing in it that JSON escapes (an id, a
 * hash, a time, an amount, one of a few words). `text`: any other text. `count`: a whole number that is not negative.
 * `price`: a price certificate.
 */
export type JsonEncoding = "literal" | "text" | "count" | "boolean" | "json" | "price"

/**
 * When a value is known. `request`: when the request is forwarded. `answer`: when the exchange has ended. `usage`: from
 * the metering of the answer. `cost`: from the price book. `bodies`: from the store of bodies. `database`: the
 * database fills the column when the row is inserted, so the serializer never writes it.
 */
type ColumnSource = "request" | "answer" | "usage" | "cost" | "bodies" | "database"

export interface RowColumn {
  readonly sql: "uuid" | "text" | "timestamptz" | "integer" | "bigint" | "numeric" | "boolean" | "jsonb"
  readonly json: JsonEncoding
  readonly from: ColumnSource
  /** NOT NULL, and always in the record. */
  readonly isRequired?: true
  /** A longer text is truncated, in UTF-16 units. */
  readonly maxLength?: number
  /** The value in a row of which nothing was measured. A column without it has to be given for each row. */
  readonly empty?: unknown
}

const MAX_NAME_LENGTH = 255
const MAX_PATH_LENGTH = 16_384 // node's own limit for the head of a request
const MAX_ERROR_LENGTH = 500

const TOKENS = { sql: "bigint", json: "count", from: "usage", isRequired: true, empty: 0 } as const
const COST = { sql: "numeric", json: "literal", from: "cost", empty: undefined } as const
const TIME = { sql: "timestamptz", json: "literal", isRequired: true } as const
const NAME = { sql: "text", json: "text", from: "request", maxLength: MAX_NAME_LENGTH } as const
const BODY = { sql: "text", json: "text", from: "bodies", empty: undefined } as const

/**
 * Every column of `llm_requests` that the gateway writes or reports, in the order of a row. The serializer of the
 * ledger, its INSERT, the row without measurements and the fields of a report are all made from this table.
 */
export const ROW_COLUMNS = {
  id: { sql: "uuid", json: "literal", from: "request", isRequired: true },
  majordomo_api_key_id: { sql: "uuid", json: "literal", from: "request" },
  provider_api_key_hash: { sql: "text", json: "literal", from: "request", empty: undefined },
  provider_api_key_alias: { ...NAME, empty: undefined },
  provider: { ...NAME, isRequired: true },
  model: { ...NAME, isRequired: true },
  requested_model: { ...NAME, empty: undefined },
  request_path: { ...NAME, isRequired: true, maxLength: MAX_PATH_LENGTH },
  request_method: { ...NAME, isRequired: true },
  requested_at: { ...TIME, from: "request" },
  responded_at: { ...TIME, from: "answer" },
  response_time_ms: { sql: "integer", json: "count", from: "answer", isRequired: true, empty: 0 },
  first_byte_ms: { sql: "integer", json: "count", from: "answer", empty: undefined },
  input_tokens: TOKENS,
  cached_tokens: TOKENS,
  cache_creation_tokens: TOKENS,
  cache_creation_1h_tokens: TOKENS,
  output_tokens: TOKENS,
  reasoning_tokens: TOKENS,
  input_cost: COST,
  output_cost: COST,
  total_cost: COST,
  billing: { sql: "text", json: "literal", from: "request", empty: undefined },
  cost_status: { sql: "text", json: "literal", from: "cost", isRequired: true, empty: "unpriced" },
  price: { sql: "jsonb", json: "price", from: "cost", empty: undefined },
  usage: { sql: "jsonb", json: "json", from: "usage", empty: undefined },
  usage_source: { sql: "text", json: "literal", from: "usage", isRequired: true, empty: "none" },
  dialect: { sql: "text", json: "text", from: "usage", maxLength: MAX_NAME_LENGTH, empty: undefined },
  status_code: { sql: "integer", json: "count", from: "answer", isRequired: true, empty: 0 },
  error_message: { sql: "text", json: "text", from: "answer", maxLength: MAX_ERROR_LENGTH, empty: undefined },
  streamed: { sql: "boolean", json: "boolean", from: "answer", isRequired: true, empty: false },
  transport: { sql: "text", json: "literal", from: "request", empty: undefined },
  websocket_id: { sql: "uuid", json: "literal", from: "request", empty: undefined },
  outcome: { sql: "text", json: "literal", from: "answer", isRequired: true },
  source: { sql: "text", json: "literal", from: "answer", empty: undefined },
  provider_request_id: { sql: "text", json: "text", from: "answer", maxLength: MAX_NAME_LENGTH, empty: undefined },
  usage_key: { sql: "text", json: "text", from: "answer", empty: undefined },
  raw_metadata: { sql: "jsonb", json: "json", from: "request", empty: undefined },
  indexed_metadata: { sql: "jsonb", json: "json", from: "database" },
  request_body: BODY,
  response_body: BODY,
  s3_key: BODY,
  created_at: { ...TIME, from: "answer" },
} as const satisfies Readonly<Record<keyof LogRecord | "indexed_metadata", RowColumn>>

export type ColumnName = keyof typeof ROW_COLUMNS

/** The columns that the gateway writes, in the order of a row. */
export const WRITTEN_COLUMNS = (Object.entries(ROW_COLUMNS) as [ColumnName, RowColumn][]).filter(
  (entry): entry is [keyof LogRecord, RowColumn] => entry[1].from !== "database",
)

type NameOfEmpty = {
  [Name in ColumnName]: (typeof ROW_COLUMNS)[Name] extends { readonly empty: unknown } ? Name : never
}[ColumnName] &
  keyof LogRecord

/** A row of which nothing was measured, without the columns that have to be given for each row. */
export const EMPTY_RECORD = Object.fromEntries(
  WRITTEN_COLUMNS.filter(([, column]) => "empty" in column).map(([name, { empty }]) => [name, empty]),
) as Pick<LogRecord, NameOfEmpty>
