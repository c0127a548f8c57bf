import { decodeBytes } from "../kit/decode-bytes.ts"
import { scanJson } from "../kit/json/scan.ts"
import type { CapturedBody, CapturedExchange } from "./_store.ts"
import { isText, mayBeJson, trimPartialCharacter } from "./text.ts"

/** A document contains at most this much of one body, however well it was compressed. */
const MAX_DECODED_BYTES = 64 << 20

/**
 * Returns the JSON object of one exchange, as it is stored in S3. A JSON body is in it byte for byte; a stream or another
 * text is a string; anything else is base64 with `"body_encoding": "base64"`. A truncated body is marked by
 * `"body_truncated": true`, with its whole length on the wire in `"body_bytes"`.
 */
export function toDocument(exchange: CapturedExchange): Buffer {
  const { id, receivedAt, method, path, requestHeaders, statusCode, responseHeaders } = exchange
  const start = { request_id: id, timestamp: new Date(receivedAt).toISOString() }
  return Buffer.concat([
    Buffer.from(`${JSON.stringify(start).slice(0, -1)},"request":`),
    ...toPart({ method, path, headers: requestHeaders }, exchange.request, requestHeaders),
    Buffer.from(',"response":'),
    ...toPart({ status_code: statusCode, headers: responseHeaders }, exchange.response, responseHeaders),
    Buffer.from("}"),
  ])
}

function toPart(
  head: object,
  body: CapturedBody | undefined,
  headers: Readonly<Record<string, string>>,
): readonly Buffer[] {
  const contentType = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1]
  const { value, notes } = toValue(body, contentType)
  return [
    Buffer.from(`${JSON.stringify(head).slice(0, -1)},"body":`),
    value,
    Buffer.from(notes === undefined ? "}" : `,${JSON.stringify(notes).slice(1)}`),
  ]
}

interface Value {
  /** JSON. */
  readonly value: Buffer
  readonly notes: Readonly<Record<string, unknown>> | undefined
}

const NULL = Buffer.from("null")

function toValue(body: CapturedBody | undefined, contentType: string | undefined): Value {
  if (body === undefined || (body.bytes.length === 0 && !body.isTruncated)) return { value: NULL, notes: undefined }
  const decoded = decodeBytes(body.bytes, body.coding, MAX_DECODED_BYTES)
  const isTruncated = body.isTruncated || decoded?.isTruncated === true
  const truncation = isTruncated ? { body_truncated: true, body_bytes: body.totalBytes } : undefined
  const bytes = decoded === undefined ? body.bytes : isTruncated ? trimPartialCharacter(decoded.bytes) : decoded.bytes
  if (!isTruncated && mayBeJson(bytes, contentType) && scanJson(bytes) !== undefined)
    return { value: bytes, notes: undefined }
  if (isText(bytes)) return { value: Buffer.from(JSON.stringify(bytes.toString("utf8"))), notes: truncation }
  return {
    value: Buffer.from(JSON.stringify((decoded?.bytes ?? body.bytes).toString("base64"))),
    notes: { body_encoding: "base64", ...truncation },
  }
}
