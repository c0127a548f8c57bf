import type { Call, Caller } from "../core/call.ts"
import type { LogRecord } from "../core/log-record.ts"

/** Where bodies are kept: one member of the table in `index.ts`. */
export interface BodyStore {
  readonly name: "none" | "postgres" | "s3"
  /** Begins to keep one request, all of which has arrived. undefined: nothing of it is to be kept. */
  open(call: Call, caller: Caller): Capture | undefined
  stats(): BodyStats
  /** Brings what waits to where it belongs, for `deadlineMs` at most; the rest waits for the next start. */
  drain(deadlineMs: number): Promise<{ readonly waiting: number }>
  close(): Promise<void>
}

/** The bodies of one request. `finish` is called once, whatever happened; an unfinished one holds on to its memory. */
export interface Capture {
  /** A piece of the answer's body as the client gets it. Kept as it is, not copied: it must not change any more. */
  push(bytes: Buffer): void
  /** What was pushed is void: the provider is asked again. */
  restart(): void
  /** The columns of its row. Never throws; waits for nothing but the write of a small record. */
  finish(answer: ResponseHead): BodyColumns
}

/** The head that the client got. `headers`: names and values alternating, as undici or node has them. */
export interface ResponseHead {
  readonly statusCode: number
  readonly headers: readonly (Buffer | string)[]
}

export type BodyColumns = Partial<Pick<LogRecord, "request_body" | "response_body" | "s3_key">>

/** Since the store was opened: kept = uploaded + waiting + lost, once what an earlier process left is counted in. */
export interface BodyStats {
  /** Requests whose row says where their bodies are. */
  readonly kept: number
  readonly uploaded: number
  readonly waiting: number
  /** No room or no disk: their rows say nothing of bodies. */
  readonly dropped: number
  /** Bodies of which only the beginning is kept. */
  readonly truncated: number
  /** Were kept, and cannot be uploaded any more: their rows are corrected. */
  readonly lost: number
  /** Bytes that wait in memory, and on disk. */
  readonly memoryBytes: number
  readonly diskBytes: number
  /** Why the last upload failed; undefined when one has worked since. */
  readonly lastError: string | undefined
}

export type Log = (level: "info" | "warn" | "error", line: string) => void

/** One body as it was captured: on the wire's coding unless something had to look inside. */
export interface CapturedBody {
  readonly bytes: Buffer
  /** Of all of it, as it passed. */
  readonly totalBytes: number
  readonly isTruncated: boolean
  /** Of the bytes; undefined: none. */
  readonly coding: string | undefined
}

/** One exchange, free of credentials, redacted: ready to be stored. */
export interface CapturedExchange {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  readonly method: string
  /** With the query, without the credentials in it. */
  readonly path: string
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly statusCode: number
  readonly responseHeaders: Readonly<Record<string, string>>
  /** undefined: not to be kept. */
  readonly request: CapturedBody | undefined
  readonly response: CapturedBody | undefined
}

/** What a store does with a finished exchange. */
export interface Sink {
  readonly name: BodyStore["name"]
  /** Never throws. `release` is called when the bytes are no longer needed, perhaps before `keep` returns. */
  keep(exchange: CapturedExchange, keyId: string, release: () => void): BodyColumns
  stats(): Pick<BodyStats, "kept" | "uploaded" | "waiting" | "dropped" | "lost" | "diskBytes" | "lastError">
  drain(deadlineMs: number): Promise<void>
  close(): Promise<void>
}
