const LF = 10
const CR = 13
const COLON = 58
const SPACE = 32
/** This many bytes of a line show whether it is a `data` line. */
const FIELD_BYTES = 8

/** Receives the events of a stream of server-sent events. */
interface SseSink {
  /** Receives the data of one event. The bytes are a view that is valid only during the call. */
  event(data: Buffer): void
  /** Returns what receives the data of an event that is longer than the limit: in pieces, then `end`. */
  long(): LongEvent
}

interface LongEvent {
  push(bytes: Buffer): void
  end(): void
}

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
  return new LineSplitter(new EventBuilder(sink, maxEventBytes), maxEventBytes)
}

/** Joins the data lines of each event. */
class EventBuilder {
  private readonly sink: SseSink
  private readonly maxBytes: number
  /** The data of the current event: a view into the current piece, or a copy. */
  private data: Buffer | undefined
  /** Holds the data at its beginning if it has several lines. It grows by doubling, so that many lines stay cheap. */
  private joined = NO_BYTES
  private long: LongEvent | undefined

  constructor(sink: SseSink, maxBytes: number) {
    this.sink = sink
    this.maxBytes = maxBytes
  }

  /** Adds a data line. The lines of one event are joined by LF. */
  addLine(bytes: Buffer): void {
    if (this.long) {
      this.long.push(NEWLINE)
      this.long.push(bytes)
      return
    }
    this.data = this.data ? this.join(this.data, bytes) : bytes
    if (this.data.length > this.maxBytes) this.makeLong()
  }

  /** Adds the beginning of a data line whose rest `continueLine` adds. */
  beginLine(bytes: Buffer): void {
    this.addLine(bytes)
    this.makeLong()
  }

  continueLine(bytes: Buffer): void {
    this.long!.push(bytes)
  }

  /** Copies the data if it is a view into `piece`, which the caller is about to reuse. */
  detach(piece: Buffer): void {
    if (this.data && this.data.buffer === piece.buffer) this.data = Buffer.from(this.data)
  }

  endEvent(): void {
    if (this.long) this.long.end()
    else if (this.data) this.sink.event(this.data)
    this.long = undefined
    this.data = undefined
    this.joined = NO_BYTES
  }

  private join(data: Buffer, line: Buffer): Buffer {
    const length = data.length + 1 + line.length
    if (length > this.joined.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(1024, 2 * length))
      data.copy(larger)
      this.joined = larger
    }
    this.joined[data.length] = LF
    line.copy(this.joined, data.length + 1)
    return this.joined.subarray(0, length)
  }

  private makeLong(): void {
    if (this.long) return
    this.long = this.sink.long()
    if (this.data) this.long.push(this.data)
    this.data = undefined
  }
}

/** Splits the stream into lines, and finds data lines and the blank lines that end events. */
class LineSplitter implements SseSplitter {
  private readonly events: EventBuilder
  private readonly maxLineBytes: number
  /** The first `lineBytes` bytes hold the unfinished line of earlier pieces. */
  private line = NO_BYTES
  private lineBytes = 0
  /** The current line is a data line, and the rest of it goes directly to the event. */
  private isLongLine = false
  private isFirstLine = true

  constructor(events: EventBuilder, maxLineBytes: number) {
    this.events = events
    this.maxLineBytes = maxLineBytes
  }

  push(bytes: Buffer): void {
    let at = 0
    for (let newline = bytes.indexOf(LF, at); newline >= 0; newline = bytes.indexOf(LF, at)) {
      if (this.isLongLine) {
        this.events.continueLine(bytes.subarray(at, newline))
        this.isLongLine = false
      } else if (this.lineBytes > 0) {
        this.hold(bytes, at, newline)
        this.takeHeldLine()
      } else {
        this.takeLine(bytes, at, newline)
      }
      at = newline + 1
    }
    this.events.detach(bytes)
    if (at < bytes.length) this.keepUnfinished(bytes, at)
  }

  end(): void {
    if (this.lineBytes > 0) this.takeHeldLine()
    this.events.endEvent()
  }

  private takeHeldLine(): void {
    const { line, lineBytes } = this
    this.line = NO_BYTES
    this.lineBytes = 0
    this.takeLine(line, 0, lineBytes)
  }

  /** Reads a whole line from `from` to before its LF at `end`. */
  private takeLine(bytes: Buffer, from: number, end: number): void {
    const start = this.skipMark(bytes, from)
    const to = end > start && bytes[end - 1] === CR ? end - 1 : end
    if (to <= start) this.events.endEvent()
    else if (isData(bytes, start, to)) this.events.addLine(bytes.subarray(dataStart(bytes, start, to), to))
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

const NEWLINE = Buffer.from("\n")
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
