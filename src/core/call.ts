import type { KeyPolicy } from "./key-policy.ts"
import type { Reading } from "./usage.ts"

/** Header names and values as sent, alternating: `[name, value, name, value, …]` (node's `rawHeaders`). */
export type RawHeaders = readonly string[]

/** Headers by lower-case name, as node merges them. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>

/** One complete request. `headers` still contains the `X-Majordomo-*` headers. */
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
  /** The metadata that the row stores. It is complete when the dialect has read the body, which may name the user and the session. */
  metadata: Readonly<Record<string, string>>
  readonly body: Body
  /** The WebSocket that the request came on, or that it opens; undefined: it is an HTTP request of its own. */
  websocketId?: string | undefined
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
  /** The name of the key, which need not be unique; undefined: it has none. */
  readonly keyName?: string | undefined
  /** The part of the list prices that remains for this key: `"0.875"` for a discount of 12.5 %; undefined: all of it. */
  readonly discountFactor?: string | undefined
  /** undefined: the key has no metadata of its own. */
  readonly metadata?: KeyMetadata | undefined
  /** The provider keys that the key is bound to: ids by the name of their provider; undefined: it is bound to none. */
  readonly providerKeys?: Readonly<Record<string, string>> | undefined
  /** undefined: the key may use everything, and does not expire. */
  readonly policy?: KeyPolicy | undefined
}

/** The metadata that an API key adds to its requests, or requires of them. Names are in Train-Case (`User-Id`). */
export interface KeyMetadata {
  /** Values for requests that have none. */
  readonly defaults: Readonly<Record<string, string>>
  /** Values that replace those of the client. */
  readonly locked: Readonly<Record<string, string>>
  /** A request that lacks one of these names is rejected. */
  readonly required: readonly string[]
}

/**
 * `shutdown`: the gateway closed the connection, because `server.shutdown_timeout` was exceeded, or because a WebSocket's
 * key or a limit did not allow it any more. `gateway_died`: its
 * process ended without that. `rejected`: the gateway did not forward the request, because of a limit or the policy of its
 * key. `gap`: the row is no request and counts dropped rows.
 */
export type Outcome = "complete" | "client_left" | "upstream_broke" | "shutdown" | "gateway_died" | "rejected" | "gap"

/** The client lacks a part of its answer, and not by its own decision: such a request counts as an error. */
export const FAILED_OUTCOMES = ["upstream_broke", "gateway_died", "shutdown"] as const satisfies readonly Outcome[]

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
  /** The request was sent, and the provider's answer did not begin. */
  readonly isUnanswered?: boolean
}
