const QUOTE = 34
const BACKSLASH = 92
const SPACE = 32
const COLON = 58
const ZERO = 48
const NINE = 57

const NO_BYTES: Buffer = Buffer.alloc(0)
/** A longer event is not learned. */
const MAX_EVENT_BYTES = 2048
const MAX_SLOTS = 16
/** Learning costs about as much as four events that are recognized. It stops where too few are. */
const LEARNING_COST = 4
const MAX_COST = 40

/** An event that was recognized. It is valid only until the next one. */
export interface RepeatedEvent {
  /** The event that it repeats: the same object until another one is learned. */
  readonly like: Buffer
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  /** Where the content of the marked string is, without its quotes. */
  readonly textStart: number
  readonly textEnd: number
}

/** The bytes of an event from `from` to before `to`, which are the same in all events, and the slot after them. */
interface Part {
  readonly from: number
  readonly to: number
  readonly isNumber: boolean
}

/**
 * Recognizes events of a stream that differ from those before only in the content of strings and in numbers, as nearly all
 * pieces of an answer do: its text, a number of the event, padding. Comparing such an event with the ones before is several
 * times cheaper than searching it for all that could matter.
 */
export class RepeatedEvents implements RepeatedEvent {
  /** The last event that was learned. */
  like: Buffer = NO_BYTES
  bytes: Buffer = NO_BYTES
  start = 0
  end = 0
  textStart = 0
  textEnd = 0
  private mark = 0
  private parts: readonly Part[] | undefined
  /** The index of the part before the marked string. */
  private marked = 0
  private cost = 0

  /**
   * Learns a whole event, with the blank line that ends it.
   * @param mark the index of the opening quote of the string in which the event differs from others in a way that matters
   */
  learn(event: Buffer, mark: number): void {
    if (event.length > MAX_EVENT_BYTES || this.cost > MAX_COST) return
    this.cost += LEARNING_COST
    const learned = Buffer.from(event)
    this.parts = this.compare(this.like, this.mark, learned, mark)
    this.like = learned
    this.mark = mark
  }

  /** Returns the index behind the event at `at`; -1: it is not one of those that were learned, or it is incomplete. */
  match(bytes: Buffer, at: number): number {
    const { like, parts } = this
    if (parts === undefined) return -1
    let cursor = at
    const last = parts.length - 1
    for (let index = 0; index <= last; index++) {
      const { from, to, isNumber } = parts[index]!
      const end = cursor + to - from
      if (end > bytes.length || !isEqual(bytes, cursor, end, like, from, to)) return -1
      cursor = end
      if (index === last) break
      cursor = isNumber ? numberEnd(bytes, end) : stringEnd(bytes, end)
      if (cursor < 0) return -1
      if (index !== this.marked) continue
      this.textStart = end
      this.textEnd = cursor
    }
    if (this.cost > 0) this.cost--
    this.bytes = bytes
    this.start = at
    this.end = cursor
    return cursor
  }

  /** Returns the parts that two events share; undefined: they differ in more than strings and numbers. */
  private compare(a: Buffer, markA: number, b: Buffer, markB: number): readonly Part[] | undefined {
    const parts: Part[] = []
    let from = 0
    let i = 0
    let j = 0
    let opening = -1
    this.marked = -1
    while (i < a.length && j < b.length && parts.length < MAX_SLOTS) {
      const isMark = j === markB + 1 && this.marked < 0
      if (a[i] === b[j] && !isMark) {
        if (b[j] === QUOTE) opening = opening < 0 ? j : -1
        else if (b[j] === BACKSLASH && a[++i] !== b[++j]) return undefined
        i++
        j++
        continue
      }
      if (isMark && i !== markA + 1) return undefined
      const isNumber = opening < 0
      const start = isNumber ? numberStart(b, j) : opening + 1
      if (isMark) this.marked = parts.length
      parts.push({ from, to: start, isNumber })
      i -= j - start
      j = isNumber ? numberEnd(b, start) : stringEnd(b, start)
      i = isNumber ? numberEnd(a, i) : stringEnd(a, i)
      // A name is no content: another member may mean something else.
      if (i < 0 || j < 0 || (!isNumber && isName(b, j + 1))) return undefined
      from = j
    }
    if (i !== a.length || j !== b.length || this.marked < 0) return undefined
    parts.push({ from, to: j, isNumber: false })
    return parts
  }
}

/** A native call costs as much as so many comparisons. */
const SHORT_BYTES = 40

function isEqual(a: Buffer, at: number, end: number, b: Buffer, from: number, to: number): boolean {
  if (to - from > SHORT_BYTES) return a.compare(b, from, to, at, end) === 0
  for (let i = at, j = from; i < end; i++, j++) if (a[i] !== b[j]) return false
  return true
}

/** Returns the index of the quote that ends a string, from its first byte on; -1: it does not end, or is no JSON. */
function stringEnd(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === QUOTE) return at
    if (byte === BACKSLASH) at++
    else if (byte < SPACE) return -1
  }
  return -1
}

/** Returns whether the string that ends before `at` is the name of a member. */
function isName(bytes: Buffer, at: number): boolean {
  let next = at
  while (bytes[next]! <= SPACE) next++
  return bytes[next] === COLON
}

/** Returns the index behind the digits at `from`; -1: there are none, or more may follow in the next piece. */
function numberEnd(bytes: Buffer, from: number): number {
  let at = from
  while (isDigit(bytes[at])) at++
  return at > from && at < bytes.length ? at : -1
}

function numberStart(bytes: Buffer, at: number): number {
  let start = at
  while (isDigit(bytes[start - 1])) start--
  return start
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE
}
