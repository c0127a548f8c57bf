import type { Cost, PriceCertificate } from "./cost.ts"
import type { Reading } from "./usage.ts"

/** Header names and values as they arrived, alternating: `[name, value, name, value, …]` (node's `rawHeaders`). */
export type RawHeaders = readonly string[]

/** Headers by lower-case name, merged as node does it. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>

/** One request that has arrived whole. `headers` still contains `X-Majordomo-*`; `metadata` holds what they mean. */
export interface Call {
  /** A UUIDv7: the id of the row and the value of `X-Majordomo-Request-Id`. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  readonly method: string
  /** The path without the query, as the client sent it: not decoded and not normalized. */
  readonly path: string
  /** The query with its `?`, as the client sent it, or `""`. */
  readonly query: string
  readonly rawHeaders: RawHeaders
  readonly headers: Headers
  readonly metadata: Readonly<Record<string, string>>
  readonly body: Body
}

export type Body = Buffer | LargeBody

/** A body that is too large to be held: its bytes lie in a file that goes with the request. */
export interface LargeBody {
  readonly length: number
  /** What finds the members of a JSON object, or the fields of a form, finds the same in it as in the whole. */
  readonly outline: Buffer
  /** The first bytes, at most so many. @throws what the disk says */
  read(maxBytes: number): Buffer
  /** All bytes, read as they are asked for; with a change of the outline done to them. May be asked for again. */
  pieces(edit: Edit | undefined): AsyncIterable<Buffer>
  close(): void
}

/** One change of a body: the bytes from `start` to before `end` give way to `by`; every other byte stays. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly by: Buffer
}

/** The client that sent a request, known by an accepted API key. */
export interface Caller {
  readonly keyId: string
}

export type Outcome = "complete" | "client_left" | "upstream_broke" | "gateway_died" | "gap"

/** The end of one request. Each request has exactly one. */
export interface Ending {
  readonly outcome: Outcome
  readonly statusCode: number
  readonly respondedAt: number
  /** The time from the arrival of the request to the first byte of the provider's answer, in milliseconds. */
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

/**
 * Where records go. `append` never throws and never waits; `onKept` says when the record cannot be lost any more: soon,
 * together with others, or before `append` returns when asked for `"now"`.
 */
export interface Ledger {
  append(record: LogRecord, onKept?: () => void, when?: "soon" | "now"): void
}
