import type { Outline } from "./outline.ts"

/** Kept of each part: its head and a short value. Readers of forms accept heads of 8,192 and values of 1,024 bytes. */
const PART_BYTES = 10 * 1024
const MAX_PARTS = 512
const MAX_DELIMITER_BYTES = 256

/** The outline of a `multipart/form-data` body: each delimiter with the head of its part and the beginning of its value. */
export class FormOutline implements Outline {
  private readonly delimiter: Buffer
  private readonly kept: Buffer[] = []
  /** How many more bytes of the present part are kept. */
  private leftOfPart = 0
  private parts = 0
  /** The last bytes, which may be the beginning of a delimiter. */
  private rest = Buffer.alloc(0)

  /** @param beginning of the body: its first line is the delimiter */
  constructor(beginning: Buffer) {
    const end = beginning.indexOf("\r\n")
    this.delimiter = Buffer.from(beginning.toString("latin1", 0, Math.max(0, end)).trimEnd(), "latin1")
  }

  push(piece: Buffer): void {
    const { length } = this.delimiter
    if (length < 3 || length > MAX_DELIMITER_BYTES) return
    const bytes = Buffer.concat([this.rest, piece])
    const end = Math.max(0, bytes.length - length + 1)
    let at = 0
    for (let found = bytes.indexOf(this.delimiter); found >= 0; found = bytes.indexOf(this.delimiter, found + length)) {
      this.keep(bytes.subarray(at, found))
      this.leftOfPart = this.parts++ < MAX_PARTS ? PART_BYTES : 0
      at = found
    }
    this.keep(bytes.subarray(at, Math.max(at, end)))
    this.rest = Buffer.from(bytes.subarray(Math.max(at, end)))
  }

  bytes(): Buffer {
    return Buffer.concat([...this.kept, this.rest.subarray(0, this.leftOfPart)])
  }

  toOffset(): number {
    throw new RangeError("a form is never edited")
  }

  private keep(bytes: Buffer): void {
    const taken = bytes.subarray(0, this.leftOfPart)
    this.leftOfPart -= taken.length
    if (taken.length > 0) this.kept.push(Buffer.from(taken))
  }
}
