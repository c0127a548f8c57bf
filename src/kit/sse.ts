import { RepeatedEvents } from "./repeated-events.ts"
import { EventBuilder, type SseSink } from "./sse-events.ts"

const LF = 10
const CR = 13
const COLON = 58
const SPACE = 32
/** This many bytes of a line show whether it is a `data` line. */
const FIELD_BYTES = 8

interface SseSplitter {
  /** Reads the next piece of the stream. */
  push(bytes: Buffer): void
  /** Ends the stream. An event is passed on even if its blank line is missing. */
  end(): void
}

/**
 * Splits a stream of server-sent events, which may be cut anywhere, into events. At most about `maxEventBytes` are held.
 *
 * Only the `data` field is read, because the APIs that the gateway meters repeat the name of an event inside of its
 * JSON. Lines end with LF or CRLF; the first line may begin with a byte order mark.
 */
export function createSseSplitter(sink: SseSink, maxEventBytes: number): SseSplitter {
  return new LineSplitter(new EventBuilder(sink, maxEventBytes), sink, maxEventBytes)
}

/** Splits the stream into lines, and finds data lines and the blank lines that end events. */
class LineSplitter implements SseSplitter {
  private readonly events: EventBuilder
  private readonly sink: SseSink
  private readonly maxLineBytes: number
  /** The first `lineBytes` bytes hold the unfinished line of earlier pieces. */
  private line = NO_BYTES
  private lineBytes = 0
  /** The current line is a data line, and the rest of it goes directly to the event. */
  private isLongLine = false
  private isFirstLine = true
  /** Where the current event begins in the current piece; -1: it began in an earlier one. */
  private eventStart = 0
  private readonly repeated: RepeatedEvents | undefined

  constructor(events: EventBuilder, sink: SseSink, maxLineBytes: number) {
    this.events = events
    this.sink = sink
    this.repeated = sink.repeated && new RepeatedEvents()
    this.maxLineBytes = maxLineBytes
  }

  push(bytes: Buffer): void {
    let at = this.eventStart === 0 ? this.skipRepeated(bytes, 0) : 0
    for (let newline = bytes.indexOf(LF, at); newline >= 0; newline = bytes.indexOf(LF, at)) {
      const isEnd = this.takeNextLine(bytes, at, newline)
      at = newline + 1
      if (isEnd) at = this.endEvent(bytes, at)
    }
    this.events.detach(bytes)
    this.eventStart = this.eventStart === bytes.length ? 0 : -1
    if (at < bytes.length) this.keepUnfinished(bytes, at)
  }

  end(): void {
    if (this.lineBytes > 0) this.takeHeldLine()
    this.events.endEvent()
  }

  /** Reads the line that ends at `newline`, and began in an earlier piece or at `at`. Returns true if it is blank. */
  private takeNextLine(bytes: Buffer, at: number, newline: number): boolean {
    if (this.isLongLine) {
      this.events.continueLine(bytes.subarray(at, newline))
      this.isLongLine = false
      return false
    }
    if (this.lineBytes === 0) return this.takeLine(bytes, at, newline)
    this.hold(bytes, at, newline)
    return this.takeHeldLine()
  }

  /** Passes on the event that ends at `end`, and those that repeat it. Returns the index behind them. */
  private endEvent(bytes: Buffer, end: number): number {
    const start = this.eventStart
    const { repeated } = this
    const mark = this.events.endEvent(bytes)
    if (repeated && start >= 0 && mark > start && mark < end) {
      repeated.learn(bytes.subarray(start, end), mark - start)
    }
    return this.skipRepeated(bytes, end)
  }

  /** Passes on the events at `from` that only repeat earlier ones with another text, and returns the index behind them. */
  private skipRepeated(bytes: Buffer, from: number): number {
    const { repeated, sink } = this
    let at = from
    if (repeated) {
      for (let end = repeated.match(bytes, at); end >= 0; end = repeated.match(bytes, at)) {
        if (!sink.repeated!(repeated)) break
        at = end
      }
    }
    this.eventStart = at
    return at
  }

  private takeHeldLine(): boolean {
    const { line, lineBytes } = this
    this.line = NO_BYTES
    this.lineBytes = 0
    return this.takeLine(line, 0, lineBytes)
  }

  /** Reads a whole line from `from` to before its LF at `end`. Returns true if it is blank. */
  private takeLine(bytes: Buffer, from: number, end: number): boolean {
    const start = this.skipMark(bytes, from)
    const to = end > start && bytes[end - 1] === CR ? end - 1 : end
    if (to <= start) return true
    if (isData(bytes, start, to)) this.events.addLine(bytes.subarray(dataStart(bytes, start, to), to))
    return false
  }

  private skipMark(bytes: Buffer, from: number): number {
    if (!this.isFirstLine) return from
    this.isFirstLine = false
    return bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf ? from + 3 : from
  }

  private keepUnfinished(bytes: Buffer, from: number): void {
    if (this.isLongLine) this.events.continueLine(bytes.subarray(from))
    else this.hold(bytes, from, bytes.length)
    if (this.lineBytes <= this.maxLineBytes) return
    const held = this.line.subarray(this.skipMark(this.line, 0), this.lineBytes)
    if (isData(held, 0, held.length)) {
      this.events.beginLine(held.subarray(dataStart(held, 0, held.length)))
      this.isLongLine = true
      this.line = NO_BYTES
      this.lineBytes = 0
    } else {
      // A comment or another field: its first bytes are enough to know that it is not data.
      this.line = Buffer.from(held.subarray(0, FIELD_BYTES))
      this.lineBytes = FIELD_BYTES
    }
  }

  /** Copies bytes to the unfinished line. Its buffer grows by doubling, so that pieces of one byte stay cheap. */
  private hold(bytes: Buffer, from: number, to: number): void {
    const needed = this.lineBytes + to - from
    if (needed > this.line.length) {
      const larger = Buffer.allocUnsafe(Math.max(256, 2 * needed))
      if (this.lineBytes > 0) this.line.copy(larger, 0, 0, this.lineBytes)
      this.line = larger
    }
    bytes.copy(this.line, this.lineBytes, from, to)
    this.lineBytes = needed
  }
}

const NO_BYTES: Buffer = Buffer.alloc(0)

/** Returns whether the line is a `data` field, with or without a value. */
function isData(bytes: Buffer, from: number, to: number): boolean {
  return (
    bytes[from] === 100 &&
    bytes[from + 1] === 97 &&
    bytes[from + 2] === 116 &&
    bytes[from + 3] === 97 &&
    (from + 4 >= to ? from + 4 === to : bytes[from + 4] === COLON)
  )
}

/** Returns the index of the value of a data line: after the colon and one space, if there is one. */
function dataStart(bytes: Buffer, from: number, to: number): number {
  const start = Math.min(from + 5, to)
  return start < to && bytes[start] === SPACE ? start + 1 : start
}
