import type { LogRecord } from "../../core/call.ts"

/** Every column that a row of the ledger fills, with the type that its JSON value is read as. */
export const COLUMNS = [
  ["id", "uuid"],
  ["majordomo_api_key_id", "uuid"],
  ["provider_api_key_hash", "text"],
  ["provider_api_key_alias", "text"],
  ["provider", "text"],
  ["model", "text"],
  ["requested_model", "text"],
  ["request_path", "text"],
  ["request_method", "text"],
  ["requested_at", "timestamptz"],
  ["responded_at", "timestamptz"],
  ["response_time_ms", "integer"],
  ["first_byte_ms", "integer"],
  ["input_tokens", "bigint"],
  ["cached_tokens", "bigint"],
  ["cache_creation_tokens", "bigint"],
  ["cache_creation_1h_tokens", "bigint"],
  ["output_tokens", "bigint"],
  ["reasoning_tokens", "bigint"],
  ["input_cost", "numeric"],
  ["output_cost", "numeric"],
  ["total_cost", "numeric"],
  ["cost_status", "text"],
  ["price", "jsonb"],
  ["usage", "jsonb"],
  ["usage_source", "text"],
  ["status_code", "integer"],
  ["error_message", "text"],
  ["streamed", "boolean"],
  ["outcome", "text"],
  ["raw_metadata", "jsonb"],
  ["request_body", "text"],
  ["response_body", "text"],
  ["s3_key", "text"],
  ["created_at", "timestamptz"],
] as const satisfies readonly (readonly [keyof LogRecord, string])[]

const names = COLUMNS.map(([name]) => name).join(", ")
const definitions = COLUMNS.map(([name, type]) => `${name} ${type}`).join(", ")

/**
 * Inserts a JSON array of rows, each once whatever happens: `$1` is the array. Roll-ups and counters are kept by the
 * triggers of schema.sql, for the rows that are new.
 */
export const INSERT_ROWS = `INSERT INTO llm_requests (${names}) SELECT ${names} FROM json_to_recordset($1::json) AS row(${definitions}) ON CONFLICT (id) DO NOTHING`
