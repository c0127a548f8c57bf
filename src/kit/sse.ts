const LF = 10
const CR = 13
const COLON = 58
const SPACE = 32

/** Takes the events out of a stream of server-sent events. */
export interface SseSink {
  /** The data of one event. The bytes are a view: read them now or copy them. */
  event(data: Buffer): void
  /** An event longer than the limit begins: its data goes to `push` in pieces, then `end`. */
  long(): { push(bytes: Buffer): void; end(): void }
}

export interface SseSplitter {
  push(bytes: Buffer): void
  /** The stream is over: an event whose blank line never came is given all the same. */
  end(): void
}

/**
 * Splits bytes, cut anywhere, into events; memory is bounded by `maxEventBytes`. Only `data` is looked at: the event
 * names of the APIs that we meter are repeated inside their JSON. Lines end with LF or CRLF.
 */
export function createSseSplitter(sink: SseSink, maxEventBytes: number): SseSplitter {
  /** The unfinished line of earlier pieces; `lineLength` bytes of it count. */
  let line: Buffer | undefined
  let lineLength = 0
  /** Data of the running event: a view into the current piece, or a copy. */
  let data: Buffer | undefined
  let long: ReturnType<SseSink["long"]> | undefined
  /** Inside a `data` line that goes straight to `long`. */
  let inLongLine = false
  /** Only the first line may begin with a byte order mark. */
  let firstLine = true

  function endEvent() {
    if (long) {
      long.end()
      long = undefined
    } else if (data) {
      sink.event(data)
    }
    data = undefined
  }

  /** One more data line; those of one event are joined by line ends. */
  function addData(bytes: Buffer) {
    if (long) {
      long.push(NEWLINE)
      long.push(bytes)
      return
    }
    data = data ? Buffer.concat([data, NEWLINE, bytes]) : bytes
    if (data.length > maxEventBytes) beginLong()
  }

  function beginLong() {
    if (long) return
    long = sink.long()
    if (data) long.push(data)
    data = undefined
  }

  /** A whole line without its end, `from <= to`. */
  function takeLine(bytes: Buffer, from: number, end: number) {
    const start = behindMark(bytes, from)
    const to = end > start && bytes[end - 1] === CR ? end - 1 : end
    if (to <= start) return endEvent()
    if (!isData(bytes, start, to)) return
    addData(bytes.subarray(dataStart(bytes, start, to), to))
  }

  function behindMark(bytes: Buffer, from: number): number {
    if (!firstLine) return from
    firstLine = false
    return bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf ? from + 3 : from
  }

  function keepUnfinished(bytes: Buffer, from: number) {
    const more = bytes.length - from
    if (inLongLine) return long!.push(bytes.subarray(from))
    line = grown(line, lineLength, more)
    bytes.copy(line, lineLength, from)
    lineLength += more
    if (lineLength <= maxEventBytes) return
    const held = line.subarray(behindMark(line, 0), lineLength)
    if (isData(held, 0, held.length)) {
      addData(held.subarray(dataStart(held, 0, held.length)))
      beginLong()
      inLongLine = true
      lineLength = 0
      line = undefined
    } else {
      // A comment or another field that never ends: its beginning is enough to know that it is not data.
      lineLength = 8
      line = Buffer.from(held.subarray(0, 8))
    }
  }

  return {
    push(bytes) {
      let at = 0
      for (;;) {
        const newline = bytes.indexOf(LF, at)
        if (newline < 0) break
        if (inLongLine) {
          long!.push(bytes.subarray(at, newline))
          inLongLine = false
        } else if (lineLength > 0) {
          const rest = newline - at
          const whole = grown(line, lineLength, rest)
          bytes.copy(whole, lineLength, at, newline)
          const length = lineLength + rest
          line = undefined
          lineLength = 0
          takeLine(whole, 0, length)
        } else {
          takeLine(bytes, at, newline)
        }
        at = newline + 1
      }
      if (data) data = detached(data, bytes)
      if (at < bytes.length) keepUnfinished(bytes, at)
    },
    end() {
      if (lineLength > 0) takeLine(line!, 0, lineLength)
      endEvent()
      line = undefined
      lineLength = 0
    },
  }
}

const NEWLINE = Buffer.from("\n")

/** Room for `more` bytes after the `used` ones; grows by doubling, so that one-byte pieces stay cheap. */
function grown(buffer: Buffer | undefined, used: number, more: number): Buffer {
  if (buffer && buffer.length >= used + more) return buffer
  const next = Buffer.allocUnsafe(Math.max(256, 2 * (used + more)))
  buffer?.copy(next, 0, 0, used)
  return next
}

/** A copy, if the data is a view into a piece that the caller gets back. */
function detached(data: Buffer, piece: Buffer): Buffer {
  return data.buffer === piece.buffer ? Buffer.from(data) : data
}

function isData(bytes: Buffer, from: number, to: number): boolean {
  return (
    bytes[from] === 100 &&
    bytes[from + 1] === 97 &&
    bytes[from + 2] === 116 &&
    bytes[from + 3] === 97 &&
    (from + 4 >= to ? from + 4 === to : bytes[from + 4] === COLON)
  )
}

/** Where the value begins: after the colon and one space, if there is one. */
function dataStart(bytes: Buffer, from: number, to: number): number {
  const start = Math.min(from + 5, to)
  return start < to && bytes[start] === SPACE ? start + 1 : start
}
