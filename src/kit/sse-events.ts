import type { RepeatedEvent } from "./repeated-events.ts"

const LF = 10
const NEWLINE = Buffer.from("\n")
const NO_BYTES: Buffer = Buffer.alloc(0)

/** Receives the events of a stream of server-sent events. */
export interface SseSink {
  /**
   * Receives the data of one event. The bytes are a view that is valid only during the call.
   * @returns the index of the opening quote of the only string whose content matters in this event. Later events that differ
   * only in strings and numbers may then come as `repeated`. Anything else: each event matters
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most sinks return nothing.
  event(data: Buffer): number | void
  /** Receives such an event, with its blank line. Returns false to get it by `event` instead. */
  repeated?(event: RepeatedEvent): boolean
  /** Returns what receives the data of an event that is longer than the limit: in pieces, then `end`. */
  long(): LongEvent
}

interface LongEvent {
  push(bytes: Buffer): void
  end(): void
}

/** Joins the data lines of each event. */
export class EventBuilder {
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

  /** Returns the index in `piece` of the string that matters in the event; -1: there is none, or it is not known. */
  endEvent(piece: Buffer = NO_BYTES): number {
    const { data, long } = this
    this.long = undefined
    this.data = undefined
    this.joined = NO_BYTES
    if (long) long.end()
    else if (data) {
      const mark = this.sink.event(data) ?? -1
      if (mark >= 0 && data.buffer === piece.buffer) return data.byteOffset - piece.byteOffset + mark
    }
    return -1
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
