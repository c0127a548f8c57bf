import type { JsonTokenizer } from "./tokenizer.ts"

/** The bytes of one key or value. A value in one piece is read where it is; one in several pieces is collected. */
export class ValueBytes {
  private text = ""
  private pieces: Buffer[] = []
  private length = 0
  private isTooLong = false

  /** The number of bytes that are kept. */
  get keptBytes(): number {
    return this.isTooLong ? 0 : this.length
  }

  /** Adds the current token of `tokens`, or its part. */
  add(bytes: Buffer, { start, end, isOpen }: JsonTokenizer, maxBytes: number): void {
    this.length += end - start
    if (this.length > maxBytes) this.isTooLong = true
    if (this.isTooLong) this.pieces = []
    else if (isOpen || this.pieces.length > 0) this.pieces.push(Buffer.from(bytes.subarray(start, end)))
    else this.text = bytes.toString("utf8", start, end)
  }

  /** Returns the value and prepares for the next one. Returns undefined if it is too long or not JSON. */
  take(): unknown {
    const text = this.pieces.length > 0 ? Buffer.concat(this.pieces).toString() : this.text
    const isTooLong = this.isTooLong
    this.text = ""
    this.pieces = []
    this.length = 0
    this.isTooLong = false
    try {
      return isTooLong ? undefined : JSON.parse(text)
    } catch {
      return undefined
    }
  }
}
