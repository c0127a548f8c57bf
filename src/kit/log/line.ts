import { CHECKSUM_BYTES, crc32, readChecksum } from "./checksum.ts"

const NEWLINE = 0x0a
const QUOTE = 0x22
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const LETTER_B = 0x62

/** The bytes of an intent line before its row. The name of the member is part of the format on disk. */
export const INTENT_PREFIX = Buffer.from('{"begin":')
const ROW_ID = Buffer.from('{"id":"')
const INTENT_ID = Buffer.from('{"begin":{"id":"')

/** `malformed`: not a JSON object by its first and last bytes, so nothing that this program wrote. */
type LineKind = "row" | "intent" | "blank" | "malformed"

/** Returns the kind of a line. It looks at the first and last bytes only: the reader checks the content. */
export function kindOfLine(bytes: Buffer, start: number, end: number): LineKind {
  if (start === end) return "blank"
  if (bytes[start] !== OPEN_OBJECT || bytes[start + 1] !== QUOTE || bytes[end - 1] !== CLOSE_OBJECT) return "malformed"
  return bytes[start + 2] === LETTER_B && startsWith(bytes, INTENT_PREFIX, start, end) ? "intent" : "row"
}

/**
 * Returns where the members of a row or intent end: before its checksum, or before its closing braces when it has none.
 * Returns -1 when the line is damaged, that is when its checksum does not match or stands in the wrong place.
 * @param isTrusted whether to take the checksum as right without computing it
 */
export function findPayloadEnd(
  bytes: Buffer,
  start: number,
  end: number,
  kind: "row" | "intent",
  isTrusted = false,
): number {
  const braces = kind === "row" ? 1 : 2
  const payloadEnd = end - braces - CHECKSUM_BYTES
  const checksum = payloadEnd <= start ? undefined : readChecksum(bytes, payloadEnd)
  if (checksum !== undefined) return isTrusted || checksum === crc32(bytes, start, payloadEnd) ? payloadEnd : -1
  // A damaged prefix makes a row of an intent: then the checksum stands one byte earlier.
  const isMisplaced = kind === "row" && readChecksum(bytes, payloadEnd - 1) !== undefined
  return isMisplaced || end - braces <= start ? -1 : end - braces
}

/** Returns the id of a row or intent, or `undefined` when `id` is not its first member. */
export function findId(bytes: Buffer, start: number, end: number, kind: "row" | "intent"): string | undefined {
  const prefix = kind === "row" ? ROW_ID : INTENT_ID
  if (!startsWith(bytes, prefix, start, end)) return undefined
  const from = start + prefix.length
  const to = bytes.indexOf(QUOTE, from)
  return to === -1 || to >= end ? undefined : bytes.toString("latin1", from, to)
}

/** Returns the row inside an intent line as JSON. */
export function readIntent(bytes: Buffer, start: number, payloadEnd: number): string {
  return `${bytes.toString("utf8", start + INTENT_PREFIX.length, payloadEnd)}}`
}

/**
 * Calls `visit` for each whole line of `bytes[from, to)`; returns the offset of the unfinished rest. A line that follows
 * the hole of a file that was truncated begins after its zeros.
 */
export function forEachLine(
  bytes: Buffer,
  from: number,
  to: number,
  visit: (start: number, end: number) => void,
): number {
  const view = bytes.subarray(0, to)
  let start = from
  for (let end = view.indexOf(NEWLINE, start); end !== -1; end = view.indexOf(NEWLINE, start)) {
    visit(bytes[start] === 0 ? skipZeros(bytes, start, end) : start, end)
    start = end + 1
  }
  return start
}

function skipZeros(bytes: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] === 0) at++
  return bytes[at] === OPEN_OBJECT ? at : start
}

function startsWith(bytes: Buffer, prefix: Buffer, start: number, end: number): boolean {
  return end - start >= prefix.length && bytes.compare(prefix, 0, prefix.length, start, start + prefix.length) === 0
}
