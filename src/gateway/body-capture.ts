import type { RawHeaders } from "../core/call.ts"
import type { LogRecord } from "../core/log-record.ts"

/** The columns of a row that hold its bodies, or the key of the object that does. */
export type BodyColumns = Partial<Pick<LogRecord, "request_body" | "response_body" | "s3_key">>

/** Messages of a WebSocket's client, one per line: what is stored as the request's body of a turn. */
export interface TakenMessages {
  readonly bytes: Buffer
  /** The length of all messages. It is larger than that of `bytes` if there was no room for all. */
  readonly totalBytes: number
}

/** Keeps the messages that a WebSocket's client sends before and with a turn. */
export interface MessageCapture {
  /** Copies a message. */
  push(message: Buffer): void
  /** Returns the messages since the last call. Their memory is released by the capture that gets them. */
  take(): TakenMessages
  /** Releases the memory of what was not taken. */
  close(): void
}

/** Captures the bodies of one request for storage. */
export interface BodyCapture {
  /** Adds a piece of the response body, as the client receives it. */
  push(bytes: Buffer): void
  /** Discards what was pushed: the gateway sends the request to the provider again. */
  restart(): void
  /**
   * Ends the capture. Called exactly once per request, whatever happened to it. Never throws.
   * @returns the columns for the row
   */
  finish(response: {
    readonly statusCode: number
    readonly headers: RawHeaders
    /** The secrets of the credential that the gateway added to the request. */
    readonly supplied: readonly string[]
  }): BodyColumns
}
