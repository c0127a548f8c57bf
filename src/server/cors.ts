import type { IncomingMessage, ServerResponse } from "node:http"
import { closeIfUnread } from "./unread-body.ts"

const MAX_AGE_S = "600"

/**
 * Creates the step that lets websites of some origins call the gateway from a browser. It answers a preflight request
 * itself, and adds headers to all other answers. Credentials of the browser, such as cookies, are never allowed.
 * @param origins such as `https://app.example.com`, or `*` for all
 * @returns true if the request has been answered
 */
export function createCors(
  origins: readonly string[],
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const allowed = new Set(origins.map((origin) => origin.toLowerCase().replace(/\/$/, "")))
  const allowsAll = allowed.has("*")
  return (request, response) => {
    const { origin } = request.headers
    if (origin === undefined || !(allowsAll || allowed.has(origin.toLowerCase()))) return false
    const headers = ["Access-Control-Allow-Origin", allowsAll ? "*" : origin, "Vary", "Origin"]
    const asked = request.headers["access-control-request-method"]
    if (request.method !== "OPTIONS" || asked === undefined) {
      addHeaders(response, [...headers, "Access-Control-Expose-Headers", "*"])
      return false
    }
    const names = request.headers["access-control-request-headers"]
    headers.push("Access-Control-Allow-Methods", asked, "Access-Control-Max-Age", MAX_AGE_S, "Content-Length", "0")
    if (names !== undefined) headers.push("Access-Control-Allow-Headers", names)
    closeIfUnread(request, response)
    response.writeHead(204, headers).end()
    return true
  }
}

/** Makes the response send these headers too. A provider's own headers about origins would contradict them. */
function addHeaders(response: ServerResponse, added: readonly string[]): void {
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse
  response.writeHead = (...args: unknown[]) => {
    const last = args.at(-1)
    if (!Array.isArray(last)) return writeHead(...args)
    return writeHead(...args.slice(0, -1), [...withoutCors(last as string[]), ...added])
  }
}

function withoutCors(raw: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    if (!raw[i]!.toLowerCase().startsWith("access-control-")) kept.push(raw[i]!, raw[i + 1]!)
  }
  return kept
}
