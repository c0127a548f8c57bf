import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import type { Body, RawHeaders } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import { asksForWebSocket, isHandshake } from "../kit/websocket/handshake.ts"
import { containsGatewayKey } from "../providers/_credentials.ts"
import { type RoutedRequest, withoutDoubledSlash } from "../providers/_routing.ts"
import { NO_BODY } from "./body.ts"
import { readCostDelivery } from "./cost-delivery.ts"
import { type BodyLimits, readBody, tooLarge } from "./read-body.ts"

/** The facts about a request that are known when it arrives. */
export interface Arrival {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  /** The value of `performance.now()` at the same moment. */
  readonly startedAt: number
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The WebSocket that the request came on; undefined: it is an HTTP request of its own. */
  readonly websocketId?: string | undefined
}

const MAX_SHORT_BYTES = 64 * 1024

/** The path and the query of a request, as sent: never decoded, and never normalized but for `withoutDoubledSlash`. */
export interface Target {
  readonly path: string
  /** `""`, or `?` and the rest. */
  readonly query: string
}

/**
 * Checks the head of a request: rejects what node accepts and a proxy must not.
 * @param checkSingle throws when a header that may be sent once was sent twice
 *
 * @throws GatewayError `bad_request`, `upgrade_required`
 */
export function receive(request: IncomingMessage, checkSingle: (raw: RawHeaders) => void): RoutedRequest {
  const target = parseTarget(request.url)
  if (target === undefined) {
    throw new GatewayError("bad_request", "The request target must be a path that begins with one slash.")
  }
  checkPath(target.path)
  checkHead(request)
  checkExpectation(request)
  checkUpgrade(request)
  checkSingle(request.rawHeaders)
  readCostDelivery(request.headers)
  return { path: target.path, query: target.query, headers: request.headers }
}

/** Splits a request target; undefined: it is not a plain path. */
export function parseTarget(sent: string | undefined): Target | undefined {
  const url = sent && withoutDoubledSlash(sent)
  if (!url?.startsWith("/") || url.startsWith("//") || url.includes("\\")) return undefined
  const mark = url.indexOf("?")
  return mark === -1 ? { path: url, query: "" } : { path: url.slice(0, mark), query: url.slice(mark) }
}

/** A dot segment, with any of its characters and of the slashes around it encoded, even more than once. */
const DOT_SEGMENT = /(?:^|\/|%(?:25)*(?:2f|5c))(?:\.|%(?:25)*2e){1,2}(?:$|[/;]|%(?:25)*(?:2f|5c|3b))/i

/**
 * Rejects paths that the provider, or a proxy before it, can take for another path than the one that was routed, and a
 * gateway key, which providers and rows would get with the path.
 */
function checkPath(path: string): void {
  if (containsGatewayKey(path)) {
    throw new GatewayError(
      "bad_request",
      "The path contains a gateway key. Send the key in the header X-Majordomo-Key.",
    )
  }
  if (path.includes("//")) {
    throw new GatewayError("bad_request", "The path contains two slashes in a row. Remove one of them.")
  }
  // Nearly no path has an encoded character, or a segment that begins with a dot.
  if ((path.includes("/.") || path.includes("%")) && DOT_SEGMENT.test(path)) {
    throw new GatewayError("bad_request", "The path contains a dot segment (`.` or `..`). Send the path without it.")
  }
}

function checkHead(request: IncomingMessage): void {
  const { method, httpVersion } = request
  // The answer to TRACE would contain the client's credential (RFC 9110, section 9.3.8).
  if (method === "TRACE" || (httpVersion !== "1.1" && httpVersion !== "1.0")) {
    throw new GatewayError("bad_request", "This HTTP method or version is not supported.")
  }
  const coding = request.headers["transfer-encoding"]
  if (coding === undefined) return
  if (httpVersion !== "1.1" || coding.toLowerCase() !== "chunked") {
    throw new GatewayError("bad_request", "Transfer-Encoding may only be chunked, in HTTP/1.1.")
  }
}

/** Rejects an expectation that a server may not know: its client may not send the body that the head announces. */
function checkExpectation({ headers: { expect } }: IncomingMessage): void {
  if (expect === undefined || /^100-continue$/i.test(expect)) return
  throw new GatewayError("bad_request", "The header Expect may only be 100-continue.")
}

/** Rejects a WebSocket whose head is not as a handshake has to be. A server may ignore other upgrades, such as `h2c`. */
function checkUpgrade(request: IncomingMessage): void {
  const { headers, method } = request
  if (headers.upgrade === undefined || !asksForWebSocket(headers)) return
  if (!isHandshake(request)) {
    throw new GatewayError(
      "upgrade_required",
      "A WebSocket needs the header Connection: Upgrade in an HTTP/1.1 request.",
    )
  }
  if (method !== "GET" || hasBody(headers)) {
    throw new GatewayError("bad_request", "A WebSocket is opened by a GET request without a body.")
  }
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  const length = headers["content-length"]
  return (length !== undefined && length !== "0") || headers["transfer-encoding"] !== undefined
}

/**
 * Reads the whole body. A client that waits for `100 Continue` gets it only here, after all checks of the head.
 *
 * @throws GatewayError `body_too_large`, `request_timeout`; ClientLeft when the client disconnects
 */
export function receiveBody(
  request: IncomingMessage,
  response: ServerResponse,
  limits: BodyLimits,
): Body | Promise<Body> {
  const declared = request.headers["content-length"]
  if (declared !== undefined && Number(declared) > limits.maxBytes) throw tooLarge(limits.maxBytes)
  if (!hasBody(request.headers)) return NO_BODY
  // HTTP/1.0 has no 100 Continue: such a client would take it for its answer.
  if (request.headers.expect !== undefined && request.httpVersion === "1.1") response.writeContinue()
  return readBody(request, response, limits)
}

/** Whether the rest of a rejected request is so short that reading it costs less than a new connection. */
export function isShort({ headers }: IncomingMessage): boolean {
  if (headers["transfer-encoding"] !== undefined || headers.expect !== undefined) return false
  return Number(headers["content-length"] ?? 0) <= MAX_SHORT_BYTES
}
