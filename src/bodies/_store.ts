import type { Call, Caller } from "../core/call.ts"
import type { LogRecord } from "../core/log-record.ts"
import type { MessageCapture, TakenMessages } from "../core/message-capture.ts"

/** Where bodies are stored: one member of the table in `index.ts`. */
export interface BodyStore {
  readonly name: "none" | "postgres" | "s3"
  /**
   * Starts to capture one request, which has arrived completely. Returns `undefined` when nothing of it is to be
   * stored.
   * @param messages of a turn of a WebSocket: what is stored as the request's body. The capture releases their memory
   */
  open(call: Call, caller: Caller, messages?: TakenMessages): Capture | undefined
  /** Starts to keep the messages of a WebSocket's client. Returns `undefined` when they are not to be stored. */
  openMessages(call: Call): MessageCapture | undefined
  stats(): BodyStats
  /** Stores the bodies that wait, for `deadlineMs` at most. The rest waits for the next start. */
  drain(deadlineMs: number): Promise<{ readonly waiting: number }>
  close(): Promise<void>
}

/** The bodies of one request. `finish` is called exactly once, because an unfinished capture keeps its memory. */
export interface Capture {
  /** Adds a piece of the answer's body as the client gets it. It is not copied, so it must not change. */
  push(bytes: Buffer): void
  /** Discards what was pushed, because the request is sent to the provider again. */
  restart(): void
  /** Returns the columns of the row. Never throws; waits at most for the write of a small record. */
  finish(answer: ResponseHead): BodyColumns
}

/** The head that the client got. `headers` alternates names and values, as node has them. */
export interface ResponseHead {
  readonly statusCode: number
  readonly headers: readonly (Buffer | string)[]
  /** The secrets of the credential that the gateway added to the request. */
  readonly supplied: readonly string[]
}

export type BodyColumns = Partial<Pick<LogRecord, "request_body" | "response_body" | "s3_key">>

/** Counts since the store was opened, including what earlier processes left: kept = uploaded + waiting + lost. */
export interface BodyStats {
  /** Requests whose row says where their bodies are. */
  readonly kept: number
  readonly uploaded: number
  readonly waiting: number
  /**
   * Requests whose bodies were dropped, because the spool was full or the disk failed. Their rows do not mention
   * bodies.
   */
  readonly dropped: number
  /** Bodies of which only the beginning is stored. */
  readonly truncated: number
  /** Requests whose bodies were kept and can no longer be uploaded. Their rows are corrected. */
  readonly lost: number
  /** Bytes that wait in memory, and on the disk. */
  readonly memoryBytes: number
  readonly diskBytes: number
  /** Why the last upload failed; `undefined` after one succeeded. */
  readonly lastError: string | undefined
}

export type Log = (level: "info" | "warn" | "error", line: string) => void

/** One body as it was captured, in the coding of the wire unless something had to look inside. */
export interface CapturedBody {
  readonly bytes: Buffer
  /** Length of the whole body, as it passed. */
  readonly totalBytes: number
  readonly isTruncated: boolean
  /** The content coding of the bytes; `undefined` when there is none. */
  readonly coding: string | undefined
}

/** Request and response of one call, without credentials and redacted: ready to be stored. */
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
  /** `undefined` when it is not to be stored. */
  readonly request: CapturedBody | undefined
  readonly response: CapturedBody | undefined
}

/** Stores captured exchanges. */
export interface Sink {
  readonly name: BodyStore["name"]
  /** Never throws. Calls `release` when the bytes are no longer needed, possibly before it returns. */
  keep(exchange: CapturedExchange, keyId: string, release: () => void): BodyColumns
  stats(): Pick<BodyStats, "kept" | "uploaded" | "waiting" | "dropped" | "lost" | "diskBytes" | "lastError">
  drain(deadlineMs: number): Promise<void>
  close(): Promise<void>
}
