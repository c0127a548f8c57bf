const QUOTE = 34
const BACKSLASH = 92
const COMMA = 44
const SHORT_STRING = 48

export interface ValueScanner {
  /** A new value begins with the next byte. */
  begin(firstByte: number): void
  /** Runs on from `at`; gives the index just behind the value, or -1 when the bytes end inside it. */
  run(bytes: Buffer, at: number): number
  /** The value is a number or a literal: only what follows can end it. */
  isScalar(): boolean
}

/**
 * Finds where one JSON value ends, in bytes cut anywhere. Nesting is counted, not remembered, so depth costs nothing;
 * long strings are jumped over natively.
 */
export function createValueScanner(): ValueScanner {
  let depth = 0
  let inString = false
  let escaped = false
  let scalar = false

  return {
    begin(firstByte) {
      depth = 0
      inString = false
      escaped = false
      scalar = !(firstByte === 123 || firstByte === 91 || firstByte === QUOTE)
    },
    isScalar: () => scalar,
    run(bytes, start) {
      const { length } = bytes
      let at = start
      while (at < length) {
        if (inString) {
          at = skipString(bytes, at)
          if (inString) return -1
          if (depth === 0) return at
          continue
        }
        const byte = bytes[at]!
        if (scalar && (byte === COMMA || byte === 125 || byte === 93 || byte <= 32)) return at
        at++
        if (scalar) continue
        if (byte === QUOTE) inString = true
        else if (byte === 123 || byte === 91) depth++
        else if ((byte === 125 || byte === 93) && --depth <= 0) return at
      }
      return -1
    },
  }

  /** From inside a string to behind its closing quote, or to the end of the bytes. */
  function skipString(bytes: Buffer, start: number): number {
    let at = start
    if (escaped) {
      escaped = false
      at++
    }
    // Most strings are short: only what is left after a few bytes is worth a native search.
    const near = Math.min(at + SHORT_STRING, bytes.length)
    while (at < near) {
      const byte = bytes[at++]!
      if (byte === QUOTE) {
        inString = false
        return at
      }
      if (byte === BACKSLASH) at++
    }
    if (at >= bytes.length) {
      escaped = at > bytes.length
      return bytes.length
    }
    for (;;) {
      const quote = bytes.indexOf(QUOTE, at)
      const stop = quote < 0 ? bytes.length : quote
      let backslashes = 0
      for (let i = stop - 1; i >= at && bytes[i] === BACKSLASH; i--) backslashes++
      const odd = backslashes % 2 === 1
      if (quote < 0) {
        escaped = odd
        return bytes.length
      }
      at = quote + 1
      if (odd) continue
      inString = false
      return at
    }
  }
}
