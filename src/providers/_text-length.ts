const QUOTE = 34
const BACKSLASH = 92
const LETTER_U = 117

/** English and code have about four characters per token. */
const ASCII_PER_TOKEN = 4
/** Other scripts have about three tokens per four characters. */
const TOKENS_PER_WIDE = 0.75

/** The length of some text in characters. */
export interface TextLength {
  ascii: number
  wide: number
}

/** Adds the length of the text from `from` to before `to`, which stands in JSON, with escapes and without its quotes. */
export function addLength(bytes: Buffer, from: number, to: number, sum: TextLength): void {
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!
    if (byte >= 0xc0) sum.wide++
    else if (byte >= 0x80) continue
    else if (byte !== BACKSLASH) sum.ascii++
    else if (bytes[at + 1] === LETTER_U) {
      // An escape such as `\u00e9`. The second half of a surrogate pair is the same character as the first.
      const isLow = /^d[c-f]/i.test(bytes.toString("latin1", at + 2, at + 4))
      if (!isLow) sum.wide++
      at += 5
    } else {
      sum.ascii++
      at++
    }
  }
}

/**
 * Adds the length of the string whose opening quote is at `opening`, and returns the index after its closing quote. Returns
 * -1, and adds nothing, if the string does not end before `stop` or has an escape such as `\u00e9`. One pass over a short
 * string costs half as much as a search for its end and `addLength`.
 */
export function addShortString(bytes: Buffer, opening: number, stop: number, sum: TextLength): number {
  let ascii = 0
  let wide = 0
  for (let at = opening + 1; at < stop; at++) {
    const byte = bytes[at]!
    if (byte === QUOTE) {
      sum.ascii += ascii
      sum.wide += wide
      return at + 1
    }
    if (byte >= 0x80) {
      if (byte >= 0xc0) wide++
    } else {
      ascii++
      if (byte === BACKSLASH && bytes[++at] === LETTER_U) return -1
    }
  }
  return -1
}

/** Returns the approximate number of tokens of a text of this length. */
export function tokensOfLength({ ascii, wide }: TextLength, asciiPerToken: number = ASCII_PER_TOKEN): number {
  return Math.ceil(ascii / asciiPerToken + wide * TOKENS_PER_WIDE)
}
