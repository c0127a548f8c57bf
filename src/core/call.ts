import type { Cost, PriceCertificate } from "./cost.ts"
import type { Reading } from "./usage.ts"

/** Header names and values as sent, alternating: `[name, value, name, value, …]` (node's `rawHeaders`). */
export type RawHeaders = readonly string[]

/** Headers by lower-case name, as node merges them. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>

/** One complete request. `headers` still contains the `X-Majordomo-*` headers; `metadata` is what was read from them. */
export interface Call {
  /** A UUIDv7: the id of the row, and `X-Majordomo-Request-Id`. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  readonly method: string
  /** The path without its query, as sent: never decoded, never normalized. */
  readonly path: string
  /** `""`, or `?` and the rest, as sent. */
  readonly query: string
  readonly rawHeaders: RawHeaders
  readonly headers: Headers
  readonly metadata: Readonly<Record<string, string>>
  readonly body: Body
}

export type Body = Buffer | LargeBody

/** A request body that is too large for memory. Its bytes are in a spill file that exists as long as the request. */
export interface LargeBody {
  readonly length: number
  /** A short version of the body: a search for the members of a JSON object or the fields of a form finds the same. */
  readonly outline: Buffer
  /** Returns the first bytes, at most `maxBytes`. @throws the error of the disk */
  read(maxBytes: number): Buffer
  /** Reads all bytes on demand, with an edit of the outline applied to them. Can be called more than once. */
  pieces(edit: Edit | undefined): AsyncIterable<Buffer>
  close(): void
}

/** One change of a body: `by` replaces the bytes from `start` to before `end`; every other byte stays. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly by: Buffer
}

/** The client of a request: a valid API key. */
export interface Caller {
  readonly keyId: string
}

export type Outcome = "complete" | "client_left" | "upstream_broke" | "gateway_died" | "gap"

/** How an answer ended. Each request has exactly one ending. */
export interface Ending {
  readonly outcome: Outcome
  readonly statusCode: number
  readonly respondedAt: number
  /** Milliseconds from the arrival of the request to the head of the provider's answer. */
  readonly firstByteMs: number | undefined
  readonly streamed: boolean
  readonly error: string | undefined
  readonly reading: Reading
}

/**
 * One row of `llm_requests`: the names are its columns, so the JSON line of the journal is the row. Fields that say
 * nothing are left out (`undefined`): short lines, and NULL in the database. Times are ISO 8601 in UTC.
 */
export interface LogRecord {
  readonly id: string
  /** Undefined only in a row that is no request of anybody (`gap`). */
  readonly majordomo_api_key_id: string | undefined
  readonly provider_api_key_hash: string | undefined
  readonly provider_api_key_alias: string | undefined
  readonly provider: string
  /** The model that answered, else the one that was asked for, else `""`. */
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
  /** USD as plain decimals; undefined = not known, never 0 for that. */
  readonly input_cost: string | undefined
  readonly output_cost: string | undefined
  readonly total_cost: string | undefined
  readonly cost_status: Cost["status"]
  readonly price: PriceCertificate | undefined
  readonly usage: unknown
  readonly usage_source: Reading["source"]
  readonly status_code: number
  readonly error_message: string | undefined
  readonly streamed: boolean
  readonly outcome: Outcome
  readonly raw_metadata: Readonly<Record<string, string>> | undefined
  readonly request_body: string | undefined
  readonly response_body: string | undefined
  readonly s3_key: string | undefined
  readonly created_at: string
}

/** What is known of a row when its request is forwarded: enough to say later that its answer is not known. */
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
  append(record: LogRecord, onStored?: () => void, when?: "soon" | "now"): void
}
