import type { ServerResponse } from "node:http"

/** Rejects a request before it reaches the proxy, in the form of OpenAI's errors, and closes the connection. */
export function reject(response: ServerResponse, status: number, code: string, message: string): void {
  const body = JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code } })
  response
    .writeHead(status, { "Content-Type": "application/json", "X-Should-Retry": "false", Connection: "close" })
    .end(body)
}
