/** The kinds of tokens. A bracket, colon or comma is its own byte, and a string is its quote. */
export const END = 0
export const SCALAR = 1
export const QUOTE = 34
export const COMMA = 44
export const COLON = 58
export const OPEN_ARRAY = 91
export const CLOSE_ARRAY = 93
export const OPEN_OBJECT = 123
export const CLOSE_OBJECT = 125

const BACKSLASH = 92
/** White space is every byte up to this one. */
const SPACE = 32

/** The kind of token that each byte begins; `END` for white space. */
const KINDS = new Uint8Array(256).fill(SCALAR).fill(END, 0, SPACE + 1)
for (const byte of [QUOTE, COMMA, COLON, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT]) KINDS[byte] = byte

/**
 * Splits JSON text into tokens. The text comes in pieces that may be cut anywhere. Memory does not grow: no byte of an
 * earlier piece is kept, and depth is counted. Any bytes are accepted: what is neither white space, a bracket, a colon,
 * a comma nor a string belongs to a `SCALAR`. Callers who need valid JSON check the grammar themselves (`scan.ts`).
 *
 * A token can go on in the next piece. Then `isOpen` is true, and `next` returns the same kind again for each further
 * part, of which the last may be empty.
 */
export class JsonTokenizer {
  /** The index of the token's first byte in the current piece, or of the first byte of its part. */
  start = 0
  /** The index after the token's last byte in the current piece. */
  end = 0
  /** The token goes on in the next piece. */
  isOpen = false
  /** The kind of the current token. */
  kind = END
  private bytes: Buffer = NO_BYTES
  /** The state of an open array, object or string, as `containerEnd` or `stringEnd` returned it. */
  private state = 0

  /** Continues with the next piece. The current one must be used up: `next` has returned `END`. */
  feed(bytes: Buffer): void {
    this.bytes = bytes
    this.start = 0
    this.end = 0
  }

  /** Moves to the next token and returns its kind, or `END` if the piece has no more tokens. */
  next(): number {
    const { bytes } = this
    const { length } = bytes
    if (this.isOpen) return this.end < length ? this.resume() : END
    let at = this.end
    while (at < length) {
      const byte = bytes[at]!
      if (byte > SPACE) {
        const kind = KINDS[byte]!
        this.start = at
        this.kind = kind
        if (kind === QUOTE) this.close(stringEnd(bytes, at))
        else if (kind === SCALAR) this.readScalar(at + 1)
        else this.end = at + 1
        return kind
      }
      at++
    }
    this.end = at
    return END
  }

  /**
   * Extends a token that opens an array or object to the whole array or object. Other tokens stay as they are. Call it
   * when `next` returns the first part of the token, not again for later parts.
   */
  takeValue(): void {
    if (this.kind === OPEN_OBJECT || this.kind === OPEN_ARRAY) this.close(containerEnd(this.bytes, this.end))
  }

  /** Reads the next part of the open token, from the first byte of the piece. */
  private resume(): number {
    const { bytes, kind, state } = this
    if (kind === QUOTE) this.close(resumeString(bytes, state))
    else if (kind === SCALAR) this.readScalar(0)
    else this.close(resumeContainer(bytes, state))
    return kind
  }

  /** @param end the index after the token, or the state in which the piece ends inside of it */
  private close(end: number): void {
    this.isOpen = end < 0
    this.state = end
    this.end = end < 0 ? this.bytes.length : end
  }

  private readScalar(from: number): void {
    const { bytes } = this
    const { length } = bytes
    let at = from
    while (at < length && KINDS[bytes[at]!] === SCALAR) at++
    this.end = at
    this.isOpen = at === length
  }
}

const NO_BYTES = Buffer.alloc(0)

/** The state where the bytes end inside of a string: `IN_ESCAPE` after a backslash that escapes the next byte. */
const IN_STRING = -1
const IN_ESCAPE = -2
/** The state where the bytes end inside of arrays and objects is `-STATES × depth`, plus that of the string, if any. */
const STATES = 4

/** One native search costs about as much as a look at this many bytes. Most strings are shorter. */
const NEAR_BYTES = 32
/** Escaped quotes often come close together, as in JSON that is the value of a string. */
const NEAR_ESCAPED_BYTES = 12
/** `byte | FOLD` is the same for both opening brackets (`[`, `{`), and the same for both closing brackets. */
const FOLD = 32

/**
 * Returns the index after the closing quote of the string whose opening quote is at `opening`. A negative result means
 * that the bytes end before: -2 if their last byte is a backslash that escapes the byte to come, else -1.
 */
export function stringEnd(bytes: Buffer, opening: number): number {
  let at = opening + 1
  const near = Math.min(at + NEAR_BYTES, bytes.length)
  while (at < near) {
    const byte = bytes[at++]!
    if (byte === QUOTE) return at
    if (byte === BACKSLASH) at++
  }
  return longStringEnd(bytes, at)
}

function longStringEnd(bytes: Buffer, from: number): number {
  const { length } = bytes
  let at = from
  while (at < length) {
    const quote = bytes.indexOf(QUOTE, at)
    const stop = quote < 0 ? length : quote
    let first = stop
    while (first > at && bytes[first - 1] === BACKSLASH) first--
    const isEscaped = (stop - first) % 2 === 1
    if (quote < 0) return isEscaped ? IN_ESCAPE : IN_STRING
    if (!isEscaped) return quote + 1
    at = quote + 1
    const near = Math.min(at + NEAR_ESCAPED_BYTES, length)
    while (at < near) {
      const byte = bytes[at++]!
      if (byte === QUOTE) return at
      if (byte === BACKSLASH) at++
    }
  }
  return at > length ? IN_ESCAPE : IN_STRING
}

/** How many bytes outside of strings may still be looked at. */
export interface Budget {
  left: number
}

/**
 * Returns the index after the bracket that closes the outermost of `depth` open arrays and objects. Brackets are
 * counted and not stored, so that depth costs no memory. A negative result means that the bytes end before, or that the
 * budget does: it is the state of `resumeContainer`.
 *
 * @param from the index after the opening bracket
 */
export function containerEnd(bytes: Buffer, from: number, depth = 1, budget?: Budget): number {
  const { length } = bytes
  let stop = budget === undefined ? length : Math.min(length, from + budget.left)
  let open = depth
  let at = from
  while (at < stop) {
    const byte = bytes[at++]!
    if (byte === QUOTE) {
      const end = stringEnd(bytes, at - 1)
      if (end < 0) return end - open * STATES
      stop = Math.min(length, stop + end - at)
      at = end
    } else {
      const folded = byte | FOLD
      if (folded === OPEN_OBJECT) open++
      else if (folded === CLOSE_OBJECT && --open === 0) {
        if (budget !== undefined) budget.left = stop - at
        return at
      }
    }
  }
  return -open * STATES
}

/** Continues `containerEnd` with the next piece. @param state its negative result for the piece before */
function resumeContainer(bytes: Buffer, state: number): number {
  const depth = Math.floor(-state / STATES)
  const string = state + depth * STATES
  const from = string === 0 ? 0 : resumeString(bytes, string)
  return from < 0 ? from - depth * STATES : containerEnd(bytes, from, depth)
}

/** Continues `stringEnd` with the next piece, which is not empty. @param state its negative result */
export function resumeString(bytes: Buffer, state: number): number {
  return stringEnd(bytes, state === IN_ESCAPE ? 0 : -1)
}
