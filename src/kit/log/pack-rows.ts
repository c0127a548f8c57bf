import { findPayloadEnd, forEachLine, kindOfLine } from "./line.ts"

const COMMA = 0x2c
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const CLOSE_OBJECT = 0x7d

interface PackedRows {
  readonly array: Buffer | undefined
  readonly starts: readonly number[]
  readonly damaged: readonly DamagedLine[]
  /** Bytes of whole lines that were read. */
  readonly consumed: number
}

interface DamagedLine {
  /** Relative to the first line. */
  readonly offset: number
  readonly reason: string
  readonly bytes: Buffer
}

/** Why a line counts as damaged. */
const NOT_AN_OBJECT = "it is not a JSON object"
export const WRONG_CHECKSUM = "its checksum does not match"

/**
 * Makes one JSON array of the rows in `bytes[from, to)`, in place: checksums and other lines are closed over, newlines
 * become commas. `from` is at least 1, which leaves room for the bracket. No row is parsed or copied out.
 * @param isTrusted whether to skip the check of the checksums
 */
export function packRows(bytes: Buffer, from: number, to: number, isTrusted = false): PackedRows {
  const starts: number[] = []
  const damaged: DamagedLine[] = []
  let out = from
  const rest = forEachLine(bytes, from, to, (start, end) => {
    const kind = kindOfLine(bytes, start, end)
    if (kind === "blank" || kind === "intent") return
    const payloadEnd = kind === "row" ? findPayloadEnd(bytes, start, end, kind, isTrusted) : -1
    if (payloadEnd === -1) {
      const reason = kind === "row" ? WRONG_CHECKSUM : NOT_AN_OBJECT
      damaged.push({ offset: start - from, reason, bytes: Buffer.from(bytes.subarray(start, end)) })
      return
    }
    starts.push(out - from + 1)
    if (out !== start) bytes.copyWithin(out, start, payloadEnd)
    out += payloadEnd - start
    bytes[out++] = CLOSE_OBJECT
    bytes[out++] = COMMA
  })
  const consumed = rest - from
  if (starts.length === 0) return { array: undefined, starts, damaged, consumed }
  bytes[from - 1] = OPEN_ARRAY
  bytes[out - 1] = CLOSE_ARRAY
  return { array: bytes.subarray(from - 1, out), starts, damaged, consumed }
}
