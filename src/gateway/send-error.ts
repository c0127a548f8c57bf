import type { ServerResponse } from "node:http"
import type { GatewayError } from "../core/errors.ts"
import { deferReads } from "../kit/costly-reads.ts"
import type { Dialect } from "../providers/_dialect.ts"

/** Seconds after which a client may retry a request that was rejected because of a fault of the gateway. */
const RETRY_AFTER_S = "5"
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
}

/** Sends an error of the gateway, in the form of the API that the client called. */
export function sendError(response: ServerResponse, { error, dialect, id, close }: ErrorResponse): void {
  if (response.headersSent || response.destroyed) return
  const body = Buffer.from(dialect.errorBody(error.code, error.status, error.message))
  const headers = ["Content-Type", "application/json; charset=utf-8", "Content-Length", String(body.length)]
  headers.push("X-Majordomo-Request-Id", id)
  if (error.status === 503) headers.push("Retry-After", RETRY_AFTER_S)
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
function isRetryable({ status }: GatewayError): boolean {
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
