import type { IncomingMessage, ServerResponse } from "node:http"
import type { Body, RawHeaders } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import { type BodyLimits, readStreamedBody, tooLarge } from "./read-body.ts"

const NO_BODY = Buffer.alloc(0)
const MAX_SHORT_BYTES = 64 * 1024

/** The path and the query of a request target, as sent. @throws GatewayError for any target that is not a plain path */
export function splitTarget(url: string | undefined): { readonly path: string; readonly query: string } {
  if (!url?.startsWith("/") || url.startsWith("//") || url.includes("\\")) {
    throw new GatewayError("bad_request", "The request target must be a path that begins with one slash.")
  }
  const mark = url.indexOf("?")
  return mark === -1 ? { path: url, query: "" } : { path: url.slice(0, mark), query: url.slice(mark) }
}

/** Refuses what node accepts and a proxy must not. @throws GatewayError `bad_request` */
export function checkHead(request: IncomingMessage, checkSingle: (raw: RawHeaders) => void): void {
  const { method, httpVersion } = request
  // TRACE would show the caller's credential to whoever stands at its end (RFC 9110, section 9.3.8).
  if (method === "TRACE" || (httpVersion !== "1.1" && httpVersion !== "1.0")) {
    throw new GatewayError("bad_request", "This method or version of HTTP is not spoken here.")
  }
  checkSingle(request.rawHeaders)
  const coding = request.headers["transfer-encoding"]
  if (coding === undefined) return
  if (httpVersion !== "1.1" || coding.toLowerCase() !== "chunked") {
    throw new GatewayError("bad_request", "Transfer-Encoding may only be chunked, in HTTP/1.1.")
  }
}

/**
 * The body, whole. The client is told to send it (`100 Continue`) only when we come here.
 *
 * @throws GatewayError `body_too_large`, `request_timeout`; a ClientLeft when the client went away
 */
export function readBody(request: IncomingMessage, response: ServerResponse, limits: BodyLimits): Body | Promise<Body> {
  const declared = request.headers["content-length"]
  if (declared !== undefined && Number(declared) > limits.maxBytes) throw tooLarge(limits.maxBytes)
  const hasBody = (declared !== undefined && declared !== "0") || request.headers["transfer-encoding"] !== undefined
  if (!hasBody) return NO_BODY
  if (request.headers.expect !== undefined) response.writeContinue()
  return readStreamedBody(request, response, limits)
}

/** What is left of a refused request is so short that reading it costs less than a new connection would. */
export function isShort({ headers }: IncomingMessage): boolean {
  if (headers["transfer-encoding"] !== undefined || headers.expect !== undefined) return false
  return Number(headers["content-length"] ?? 0) <= MAX_SHORT_BYTES
}
