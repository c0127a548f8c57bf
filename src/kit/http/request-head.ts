import { HttpError } from "./errors.ts"
import { isFieldValue, isToken } from "./fields.ts"

/** A body that is read while it is sent. */
export interface SizedBody {
  /** In bytes. */
  readonly length: number
  readonly pieces: AsyncIterable<Buffer>
}

export interface HttpRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  /** Names and values alternate. Host, Connection, Upgrade and Content-Length are added. */
  readonly headers: readonly string[]
  readonly body: Buffer | SizedBody | undefined
  /** Asks the server to switch to this protocol. */
  readonly upgrade?: string | undefined
}

const FORBIDDEN_IN_PATH = /[^\x21-\xff]/
/** A server expects a body of these methods, so that they state its length even if it is 0. */
const METHODS_WITH_BODY = new Set(["POST", "PUT", "PATCH"])

/**
 * Writes the head of a request as latin1 text.
 *
 * @throws HttpError `invalid_request` for a path or a header that HTTP does not allow
 */
export function toRequestHead({ method, path, headers, body, upgrade }: HttpRequest, host: string): string {
  if (FORBIDDEN_IN_PATH.test(path) || !isToken(method)) throw invalid()
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`
  head += upgrade === undefined ? "connection: keep-alive\r\n" : `connection: upgrade\r\nupgrade: ${upgrade}\r\n`
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!
    const value = headers[at + 1]!
    if (!isToken(name) || !isFieldValue(value)) throw invalid()
    head += `${name}: ${value}\r\n`
  }
  const length = body?.length ?? 0
  if (length > 0 || METHODS_WITH_BODY.has(method)) head += `content-length: ${length}\r\n`
  return `${head}\r\n`
}

function invalid(): HttpError {
  return new HttpError("invalid_request", "the request has a path or a header that HTTP does not allow")
}
