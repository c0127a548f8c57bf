const NEWLINE = 0x0a
const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const QUOTE = 0x22
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const LETTER_B = 0x62

const BEGIN = Buffer.from('{"begin":')
const ROW_ID = Buffer.from('{"id":"')
const BEGIN_ID = Buffer.from('{"begin":{"id":"')

/** `row`: to be taken away; `begin`: a promise of a row; `blank`: nothing; `broken`: what a disk made of a line. */
export type LineKind = "row" | "begin" | "blank" | "broken"

/** Tells by the first and last bytes only: what is inside an object is for its reader to judge. */
export function kindOfLine(bytes: Buffer, start: number, end: number): LineKind {
  if (start === end) return "blank"
  if (bytes[start] !== OPEN_OBJECT || bytes[start + 1] !== QUOTE || bytes[end - 1] !== CLOSE_OBJECT) return "broken"
  return bytes[start + 2] === LETTER_B && startsWith(bytes, BEGIN, start, end) ? "begin" : "row"
}

/** The id of a row or begin line, if that is its first member. */
export function findId(bytes: Buffer, start: number, end: number, kind: "row" | "begin"): string | undefined {
  const prefix = kind === "row" ? ROW_ID : BEGIN_ID
  if (!startsWith(bytes, prefix, start, end)) return undefined
  const from = start + prefix.length
  const to = bytes.indexOf(QUOTE, from)
  return to === -1 || to >= end ? undefined : bytes.toString("latin1", from, to)
}

export function toIntentLine(row: string): string {
  return `{"begin":${row}}`
}

/** The row inside a begin line. */
export function fromIntentLine(bytes: Buffer, start: number, end: number): string {
  return bytes.toString("utf8", start + BEGIN.length, end - 1)
}

/** Calls `visit` for each whole line of `bytes[from, to)`; returns where the unfinished rest begins. */
export function forEachLine(
  bytes: Buffer,
  from: number,
  to: number,
  visit: (start: number, end: number) => void,
): number {
  const view = bytes.subarray(0, to)
  let start = from
  for (let end = view.indexOf(NEWLINE, start); end !== -1; end = view.indexOf(NEWLINE, start)) {
    visit(start, end)
    start = end + 1
  }
  return start
}

export interface PackedRows {
  readonly array: Buffer | undefined
  readonly starts: readonly number[]
  readonly lines: number
  readonly broken: readonly string[]
  /** Bytes of whole lines that were read. */
  readonly consumed: number
}

/**
 * Makes one JSON array of the rows in `bytes[from, to)`, in place: newlines become commas, other lines are closed over.
 * `from` is at least 1, for the bracket. No row is parsed or copied out.
 */
export function packRows(bytes: Buffer, from: number, to: number): PackedRows {
  const starts: number[] = []
  const broken: string[] = []
  let out = from
  const rest = forEachLine(bytes, from, to, (start, end) => {
    const kind = kindOfLine(bytes, start, end)
    if (kind === "broken") broken.push(bytes.toString("utf8", start, end))
    if (kind !== "row") return
    starts.push(out - from + 1)
    if (out !== start) bytes.copyWithin(out, start, end)
    out += end - start
    bytes[out++] = COMMA
  })
  const lines = starts.length + broken.length
  if (starts.length === 0) return { array: undefined, starts, lines, broken, consumed: rest - from }
  bytes[from - 1] = OPEN_ARRAY
  bytes[out - 1] = CLOSE_ARRAY
  return { array: bytes.subarray(from - 1, out), starts, lines, broken, consumed: rest - from }
}

function startsWith(bytes: Buffer, prefix: Buffer, start: number, end: number): boolean {
  return end - start >= prefix.length && bytes.compare(prefix, 0, prefix.length, start, start + prefix.length) === 0
}
