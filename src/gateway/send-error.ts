import type { ServerResponse } from "node:http"
import type { GatewayError } from "../core/errors.ts"
import type { Dialect } from "../providers/_dialect.ts"

/** Seconds after which a client may try again what was refused for our own trouble. */
const RETRY_AFTER_S = "5"

/**
 * The gateway's own answer, as the error of the API that was called. When the request was not read to its end the
 * connection is closed: what follows on it could be mistaken for the next request.
 */
export function sendError(
  response: ServerResponse,
  refusal: { readonly error: GatewayError; readonly dialect: Dialect; readonly id: string; readonly close: boolean },
): void {
  if (response.headersSent || response.destroyed) return
  const { error, dialect } = refusal
  const body = Buffer.from(dialect.errorBody(error.code, error.status, error.message))
  const headers = ["Content-Type", "application/json; charset=utf-8", "Content-Length", String(body.length)]
  headers.push("X-Majordomo-Request-Id", refusal.id)
  if (error.status === 503) headers.push("Retry-After", RETRY_AFTER_S)
  if (refusal.close) headers.push("Connection", "close")
  // A head that node refused to write has left its reason phrase behind.
  response.statusMessage = ""
  response.writeHead(error.status, headers)
  response.end(body)
  if (refusal.close) closeUnread(response)
}

/** Lets the refusal arrive, then drops a connection whose request we do not want to read. */
function closeUnread(response: ServerResponse): void {
  const socket = response.socket
  if (!socket) return
  response.once("finish", () => {
    const timer = setTimeout(() => socket.destroy(), 1000)
    socket.once("close", () => clearTimeout(timer))
  })
}
