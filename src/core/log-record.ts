import type { Outcome } from "./call.ts"
import type { Billing, Cost, PriceCertificate } from "./cost.ts"
import type { JobNote } from "./job.ts"
import type { Reading } from "./usage.ts"

/**
 * One row of `llm_requests`. The names are its columns (`row-columns.ts`), so a line of the journal is a row. A field
 * whose value is not known is `undefined`: it is left out of the line and is NULL in the database. Times are ISO 8601
 * in UTC.
 */
export interface LogRecord {
  readonly id: string
  /** Undefined only in a row that is not a request (`outcome` is `gap`). */
  readonly majordomo_api_key_id: string | undefined
  readonly provider_api_key_hash: string | undefined
  readonly provider_api_key_alias: string | undefined
  readonly provider: string
  /** The model that answered, else the requested one, else `""`. */
  readonly model: string
  readonly requested_model: string | undefined
  readonly request_path: string
  readonly request_method: string
  readonly requested_at: string
  readonly responded_at: string
  readonly response_time_ms: number
  readonly first_byte_ms: number | undefined
  readonly input_tokens: number
  readonly cached_tokens: number
  readonly cache_creation_tokens: number
  readonly cache_creation_1h_tokens: number
  readonly output_tokens: number
  readonly reasoning_tokens: number
  /** USD as plain decimals; `undefined` when the price is not known, which is never 0. */
  readonly input_cost: string | undefined
  readonly output_cost: string | undefined
  readonly total_cost: string | undefined
  /** `undefined`: the provider bills the request by its tokens. Otherwise the costs are what that bill would say. */
  readonly billing: Billing | undefined
  readonly cost_status: Cost["status"]
  readonly price: PriceCertificate | undefined
  readonly usage: unknown
  readonly usage_source: Reading["source"]
  /** The API dialect by which the answer was metered; `undefined` when nothing was metered. */
  readonly dialect: string | undefined
  readonly status_code: number
  readonly error_message: string | undefined
  readonly streamed: boolean
  /** `undefined`: the request was an HTTP request of its own. */
  readonly transport: "websocket" | undefined
  /** The connection that a response came on, which is the same in all rows of one WebSocket. */
  readonly websocket_id: string | undefined
  readonly outcome: Outcome
  /**
   * `undefined`: the request passed through the gateway. `telemetry`: the client reported it. `import`: another product has recorded
   * it.
   */
  readonly source: "telemetry" | "import" | undefined
  /** The provider's own id of the request; `undefined`: it is not known, or the gateway receives no telemetry. */
  readonly provider_request_id: string | undefined
  /** Session and tokens (`toUsageKey`), by which a client's report of the request is recognized. */
  readonly usage_key: string | undefined
  readonly raw_metadata: Readonly<Record<string, string>> | undefined
  readonly request_body: string | undefined
  readonly response_body: string | undefined
  readonly s3_key: string | undefined
  readonly created_at: string
}

/** A row on its way to the database. */
export interface JournalRecord extends LogRecord {
  /** The note about a job of the provider, which is no column of the row. */
  readonly job?: JobNote | undefined
}

/**
 * The part of a row that is known when its request is forwarded. It is enough to write a row later which says that the answer is
 * not known.
 */
export type LogIntent = Partial<LogRecord> &
  Pick<
    LogRecord,
    "id" | "majordomo_api_key_id" | "provider" | "model" | "request_path" | "request_method" | "requested_at"
  >

/** Stores rows. */
export interface Ledger {
  /**
   * Takes a row. Never throws and never waits.
   * @param onStored called once, when the row can no longer be lost
   * @param when `"soon"`: together with other rows, soon; `"now"`: before `append` returns
   */
  append(record: JournalRecord, onStored?: () => void, when?: "soon" | "now"): void
}
