const QUOTE = 34

/**
 * Finds a name or a text in quotes, such as `"usage"`, in JSON. The search is for what follows the opening quote, because
 * a native search stops at each byte that is like its first one. JSON is full of quotes: in an event of 300 bytes, a search
 * that begins with one takes 350 ns, and this one 110 ns.
 */
export class QuotedName {
  /** The length in bytes, with both quotes. */
  readonly length: number
  private readonly rest: Buffer

  constructor(name: string) {
    this.rest = Buffer.from(`${name}"`)
    this.length = this.rest.length + 1
  }

  /** Returns the index of the opening quote of the first such name from `from` on; -1: there is none. */
  indexOf(bytes: Buffer, from = 0): number {
    const { rest } = this
    for (let at = bytes.indexOf(rest, from + 1); at >= 0; at = bytes.indexOf(rest, at + 1)) {
      if (bytes[at - 1] === QUOTE) return at - 1
    }
    return -1
  }

  isIn(bytes: Buffer): boolean {
    return this.indexOf(bytes) >= 0
  }
}
