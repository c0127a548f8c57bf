import { isUtf8 } from "node:buffer"

/** Returns the longest beginning of `bytes`, at most `maxBytes`, that does not end within a UTF-8 character. */
export function truncateAtCharacter(bytes: Buffer, maxBytes: number): Buffer {
  if (bytes.length <= maxBytes) return bytes
  let end = Math.max(0, maxBytes)
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}

/** Removes an incomplete UTF-8 character from the end of a truncated text. */
export function trimPartialCharacter(bytes: Buffer): Buffer {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!
    if ((byte & 0xc0) === 0x80) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return length > back ? bytes.subarray(0, bytes.length - back) : bytes
  }
  return bytes
}

/** Returns whether bytes are text. The content decides, not its header. */
export function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0)
}

/** Returns whether a type is a stream of events or lines. It is stored as text, even when it happens to be JSON. */
export function isLines(contentType: string | undefined): boolean {
  return /^\s*(?:text\/event-stream|application\/(?:x-)?(?:ndjson|jsonl|json-seq|json-stream|stream\+json))\b/i.test(
    contentType ?? "",
  )
}

/** Returns whether a body is worth parsing as one JSON document. */
export function mayBeJson(bytes: Buffer, contentType: string | undefined): boolean {
  if (isLines(contentType)) return false
  if (/json/i.test(contentType ?? "")) return true
  if (contentType !== undefined && /^\s*text\//i.test(contentType)) return false
  let at = 0
  while (bytes[at]! <= 32) at++
  return bytes[at] === 123 || bytes[at] === 91
}
