import type { IncomingMessage, ServerResponse } from "node:http"
import type { RawHeaders } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"

/** Headers that must not come twice: which of two would count is a question that attackers like. */
const SINGLE = new Set([
  "host",
  "content-length",
  "authorization",
  "x-api-key",
  "x-goog-api-key",
  "x-majordomo-key",
  "x-majordomo-provider",
])
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
export function checkHead(request: IncomingMessage): void {
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
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limits: { readonly maxBytes: number; readonly timeoutMs: number },
): Buffer | Promise<Buffer> {
  const declared = request.headers["content-length"]
  if (declared !== undefined && Number(declared) > limits.maxBytes) throw tooLarge(limits.maxBytes)
  const hasBody = (declared !== undefined && declared !== "0") || request.headers["transfer-encoding"] !== undefined
  if (!hasBody) return NO_BODY
  if (request.headers.expect !== undefined) response.writeContinue()
  return collect(request, limits)
}

/** What is left of a refused request is so short that reading it costs less than a new connection would. */
export function isShort({ headers }: IncomingMessage): boolean {
  if (headers["transfer-encoding"] !== undefined || headers.expect !== undefined) return false
  return Number(headers["content-length"] ?? 0) <= MAX_SHORT_BYTES
}

/** The client closed its connection before its request was complete. */
export class ClientLeft extends Error {
  override readonly name = "ClientLeft"
}

function collect(
  request: IncomingMessage,
  limits: { readonly maxBytes: number; readonly timeoutMs: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    let bytes = 0
    const timer = setTimeout(() => {
      stop()
      reject(new GatewayError("request_timeout", `The request did not arrive whole within ${limits.timeoutMs} ms.`))
    }, limits.timeoutMs)
    const onData = (piece: Buffer) => {
      bytes += piece.length
      if (bytes > limits.maxBytes) {
        stop()
        reject(tooLarge(limits.maxBytes))
        return
      }
      pieces.push(piece)
    }
    const onEnd = () => {
      stop()
      resolve(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, bytes))
    }
    const onGone = () => {
      stop()
      reject(new ClientLeft("the client left before its request was complete"))
    }
    const stop = () => {
      clearTimeout(timer)
      request.off("data", onData).off("end", onEnd).off("close", onGone)
      request.pause()
    }
    // `error` always comes with `close`; without a listener it would be thrown.
    request
      .on("data", onData)
      .on("end", onEnd)
      .on("close", onGone)
      .on("error", () => {})
  })
}

function checkSingle(raw: RawHeaders): void {
  let seen = 0
  for (let i = 0; i < raw.length; i += 2) {
    const length = raw[i]!.length
    if (length !== 4 && length !== 9 && length !== 13 && length !== 14 && length !== 15 && length !== 20) continue
    const name = raw[i]!.toLowerCase()
    if (!SINGLE.has(name)) continue
    const bit = BITS[name]!
    if (seen & bit) throw new GatewayError("bad_request", `The header ${name} was sent twice.`)
    seen |= bit
  }
}

const BITS: Readonly<Record<string, number>> = Object.fromEntries([...SINGLE].map((name, index) => [name, 1 << index]))

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError(
    "body_too_large",
    `The request body is larger than ${maxBytes} bytes, the limit of this gateway (server.max_body_size).`,
  )
}
