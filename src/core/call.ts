import type { Reading } from "./usage.ts"

/** Header names and values as they came, alternating: `[name, value, name, value, …]` (node's `rawHeaders`). */
export type RawHeaders = readonly string[]

/** Headers by lower-case name, as node merges them. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>

/** One request as it arrived whole. `X-Majordomo-*` is in `headers` still; `metadata` holds what became of it. */
export interface Call {
  /** UUIDv7; the row's id and `X-Majordomo-Request-Id`. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  readonly method: string
  /** The path without its query, as sent: never decoded, never normalised. */
  readonly path: string
  /** `""`, or `?` and the rest, as sent. */
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

/** Who sent it: an accepted API key. */
export interface Caller {
  readonly keyId: string
}

export type Outcome = "complete" | "client_left" | "upstream_broke" | "gateway_died" | "gap"

/** How an answer ended: exactly one per request. */
export interface Ending {
  readonly outcome: Outcome
  readonly statusCode: number
  readonly respondedAt: number
  /** Milliseconds from the arrival of the request to the first byte of the provider's answer. */
  readonly firstByteMs: number | undefined
  readonly streamed: boolean
  readonly error: string | undefined
  readonly reading: Reading
}
