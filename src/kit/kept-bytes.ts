/** A copy of the newest of many messages, in memory that is used again for the next one. */
export class KeptBytes {
  private bytes: Buffer = Buffer.allocUnsafe(0)
  private length = 0

  keep(bytes: Buffer, from: number, to: number): void {
    this.length = to - from
    if (this.length > this.bytes.length) this.bytes = Buffer.allocUnsafe(2 * this.length)
    bytes.copy(this.bytes, 0, from, to)
  }

  /** Returns what was kept last, and forgets it; undefined: nothing. It is valid until the next call of `keep`. */
  take(): Buffer | undefined {
    const { length } = this
    this.length = 0
    return length === 0 ? undefined : this.bytes.subarray(0, length)
  }
}
