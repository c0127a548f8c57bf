import { decodeBytes } from "../kit/decode-bytes.ts"
import type { CapturedBody, Sink } from "./_store.ts"
import { isText, trimPartialCharacter, truncateAtCharacter } from "./text.ts"

/** Opens the sink that stores bodies as texts in their row. The ledger writes them to the database with it. */
export function openPostgresSink({ maxBodyBytes }: { readonly maxBodyBytes: number }): Sink {
  let kept = 0
  return {
    name: "postgres",
    keep({ request, response, requestHeaders, responseHeaders }, _keyId, release) {
      const columns = {
        request_body: toText(request, contentType(requestHeaders), maxBodyBytes),
        response_body: toText(response, contentType(responseHeaders), maxBodyBytes),
      }
      release()
      kept++
      return columns
    },
    stats: () => ({ kept, uploaded: 0, waiting: 0, dropped: 0, lost: 0, diskBytes: 0, lastError: undefined }),
    drain: async () => {},
    close: async () => {},
  }
}

/**
 * Returns a body for a column of at most `maxBytes` bytes: its text, or a `data:` URL in base64 when it is not text. A
 * truncated text ends with a whole character and the mark `[cut: 1000 of 5000 bytes]`, within `maxBytes`.
 */
export function toText(body: CapturedBody | undefined, type: string | undefined, maxBytes: number): string | undefined {
  if (body === undefined || (body.bytes.length === 0 && !body.isTruncated)) return undefined
  const decoded = decodeBytes(body.bytes, body.coding, maxBytes)
  const isTruncated = body.isTruncated || decoded?.isTruncated === true
  const bytes = decoded === undefined ? body.bytes : isTruncated ? trimPartialCharacter(decoded.bytes) : decoded.bytes
  const text = decoded !== undefined && isText(bytes) ? bytes : toDataUrl(decoded?.bytes ?? bytes, type, maxBytes)
  if (!isTruncated && text.length <= maxBytes) return text.toString("utf8")
  const room = maxBytes - `\n[cut: ${maxBytes} of ${body.totalBytes} bytes]`.length
  const beginning = truncateAtCharacter(text, Math.max(0, room))
  const mark = `[cut: ${beginning.length} of ${body.totalBytes} bytes]`
  return beginning.length === 0 ? mark : `${beginning.toString("utf8")}\n${mark}`
}

function toDataUrl(bytes: Buffer, type: string | undefined, maxBytes: number): Buffer {
  const plainType = /^[\w.+/-]{1,100}/.exec(type ?? "")?.[0] ?? "application/octet-stream"
  return Buffer.from(`data:${plainType};base64,${bytes.subarray(0, maxBytes).toString("base64")}`)
}

function contentType(headers: Readonly<Record<string, string>>): string | undefined {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1]
}
