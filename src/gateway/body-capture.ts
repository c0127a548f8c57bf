import type { RawHeaders } from "../core/call.ts"
import type { LogRecord } from "../core/log-record.ts"

/** The columns of a row that hold its bodies, or the key of the object that does. */
export type BodyColumns = Partial<Pick<LogRecord, "request_body" | "response_body" | "s3_key">>

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
