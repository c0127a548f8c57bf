import type { IncomingMessage, ServerResponse } from "node:http"

/**
 * Closes the connection after the answer to a request with a body, for answers that do not read it. Otherwise a client
 * without a key could hold its connection by sending that body slowly.
 */
export function closeIfUnread({ headers }: IncomingMessage, response: ServerResponse): void {
  const length = headers["content-length"]
  if (headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0"))
    response.shouldKeepAlive = false
}
