import { CHECKSUM_BYTES, crc32, writeChecksum } from "./checksum.ts"
import { INTENT_PREFIX } from "./line.ts"

const SCRATCH_BYTES = 1 << 16
const MAX_BYTES_PER_UNIT = 3 // a UTF-16 unit is at most three bytes of UTF-8
const NEWLINE = 0x0a
const CLOSE_OBJECT = 0x7d
/** Shared by all writers of the process: nothing is left in it between two writes. */
const SCRATCH = Buffer.allocUnsafeSlow(SCRATCH_BYTES)

/** A row, or the intent to write one. `line` is a JSON object whose first member is `id`, without a newline. */
export interface Entry {
  readonly line: string
  readonly id: string
  readonly isIntent: boolean
}

/** The most bytes that `LineWriter.add` adds to a line: checksum, prefix and braces of an intent, newline. */
const LINE_OVERHEAD_BYTES = CHECKSUM_BYTES + INTENT_PREFIX.length + 2

/**
 * Encodes lines with their checksums into one buffer, so that one `write(2)` stores them all. The buffer is reused: a
 * line is encoded into memory that is already there. Only a line of more than about 20 KB gets a buffer of its own.
 */
export class LineWriter {
  /** The lines since `clear`, in the first `length` bytes. */
  bytes: Buffer = SCRATCH
  length = 0

  clear(): void {
    this.bytes = SCRATCH
    this.length = 0
  }

  /** Adds one row or intent. */
  add(line: string, isIntent: boolean): void {
    this.reserve(line)
    const { bytes } = this
    const start = this.length
    let at = start
    if (isIntent) at += INTENT_PREFIX.copy(bytes, at)
    at += bytes.write(line, at, "utf8")
    // The checksum takes the place of the object's closing brace, which follows it.
    const payloadEnd = at - 1
    at = writeChecksum(bytes, payloadEnd, crc32(bytes, start, payloadEnd))
    bytes[at++] = CLOSE_OBJECT
    if (isIntent) bytes[at++] = CLOSE_OBJECT
    bytes[at++] = NEWLINE
    this.length = at
  }

  /** Adds an empty line, which every reader ignores. */
  addBlank(): void {
    this.reserve("")
    this.bytes[this.length++] = NEWLINE
  }

  private reserve(line: string): void {
    if (this.length + line.length * MAX_BYTES_PER_UNIT + LINE_OVERHEAD_BYTES <= this.bytes.length) return
    const needed = this.length + Buffer.byteLength(line) + LINE_OVERHEAD_BYTES
    if (needed <= this.bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }
}
