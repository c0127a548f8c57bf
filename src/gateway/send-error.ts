import type { ServerResponse } from "node:http"
import type { GatewayError } from "../core/errors.ts"
import { LimitError } from "../core/limit-error.ts"
import { deferReads } from "../kit/costly-reads.ts"
import type { Dialect } from "../providers/_dialect.ts"
import { LIMIT_REMAINING, toRemaining } from "./limits/remaining.ts"
import type { RunningReservation } from "./limits/running-reservation.ts"

/** Seconds after which a client may retry a request that was rejected because of a fault of the gateway. */
const RETRY_AFTER_S = 5
/** How long a client has to read an error response before its connection is closed. */
const CLOSE_DELAY_MS = 1000
/** How long the short rest of a rejected request may take to arrive before its connection is closed. */
const REST_TIMEOUT_MS = 5000

/** An error response of the gateway itself. */
interface ErrorResponse {
  readonly error: GatewayError
  /** The API in whose form the error is sent. */
  readonly dialect: Dialect
  readonly id: string
  /** Close the connection: the request was not read to its end, and what follows could be mistaken for the next one. */
  readonly close: boolean
  /** What the request holds of its limits; undefined: none applies, or one has rejected it. */
  readonly reservation?: Pick<RunningReservation, "addRemaining"> | undefined
}

/** Sends an error of the gateway, in the form of the API that the client called. */
export function sendError(response: ServerResponse, { error, dialect, id, close, reservation }: ErrorResponse): void {
  if (response.headersSent || response.destroyed) return
  const exceeded = error instanceof LimitError ? error : undefined
  const body = Buffer.from(dialect.errorBody(error.code, error.status, error.message, exceeded?.measure))
  const headers = ["Content-Type", "application/json; charset=utf-8", "Content-Length", String(body.length)]
  headers.push("X-Majordomo-Request-Id", id)
  const left = exceeded && toRemaining(exceeded)
  if (left !== undefined) headers.push(LIMIT_REMAINING, left)
  reservation?.addRemaining(headers)
  const retryAfter = error.status === 503 ? RETRY_AFTER_S : exceeded?.retryAfterSeconds
  if (retryAfter !== undefined) headers.push("Retry-After", String(retryAfter))
  if (!isRetryable(error)) headers.push("X-Should-Retry", "false")
  if (close) headers.push("Connection", "close")
  // If node rejected a head before, its reason phrase is still set.
  response.statusMessage = ""
  response.writeHead(error.status, headers)
  response.end(body)
  if (close) closeUnread(response)
  else if (!response.req.complete) awaitRest(response)
}

/** Returns false for an error that the same request would get again. The SDKs of OpenAI and Anthropic read the header. */
function isRetryable(error: GatewayError): boolean {
  if (error instanceof LimitError) return error.shouldRetry
  const { status } = error
  return status >= 500 || status === 408
}

/** Closes a connection whose request is not read to its end, after the client has had time to read the response. */
function closeUnread(response: ServerResponse): void {
  const { socket } = response
  if (!socket) return
  // What follows is dropped, but node parses it as long as it reads the connection.
  if (response.req.headers["transfer-encoding"] !== undefined) deferReads(socket)
  response.once("finish", () => {
    const timer = setTimeout(() => socket.destroy(), CLOSE_DELAY_MS)
    socket.once("close", () => clearTimeout(timer))
  })
}

/** Closes a connection on which the rest of the request does not arrive. Otherwise it serves the next request. */
function awaitRest({ req: request }: ServerResponse): void {
  const timer = setTimeout(() => request.socket.destroy(), REST_TIMEOUT_MS)
  request.once("close", () => clearTimeout(timer))
}
