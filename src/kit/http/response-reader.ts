import { invalid, type ResponseHead, readResponseHead } from "./response-head.ts"

/** Receives one response after the other. It may call `stop` of the reader at any time. */
export interface ResponseSink {
  onHead(head: ResponseHead): void
  /** The bytes of the body that came together, without the framing of HTTP. */
  onBody(bytes: Buffer): void
  /** @param isReusable whether the connection may be used for another request */
  onEnd(isReusable: boolean): void
  /** The server answered 101; HTTP ends here. @param rest the bytes that came after the head */
  onSwitch(head: ResponseHead, rest: Buffer): void
}

/** The part of a response that comes next. */
const HEAD = 0
const LENGTH = 1
const SIZE = 2
const CHUNK = 3
const CHUNK_END = 4
const TRAILERS = 5
const CLOSE = 6
const DONE = 7

const HEAD_END = Buffer.from("\r\n\r\n")
const MAX_HEAD_BYTES = 64 * 1024
/** The longest line with the size of a chunk, and the longest trailers. */
const MAX_LINE_BYTES = 16 * 1024
const MAX_SIZE_DIGITS = 13
const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b

/**
 * Reads the responses on one connection: HTTP/1.1 and 1.0, as RFC 9112 has it. Interim responses (1xx) are left out.
 *
 * The chunks that arrive in one piece are given on together. A provider sends each event as a chunk of its own, and handling
 * them one by one costs several times what their bytes cost. The piece is changed for that: it must be the reader's own.
 */
export class ResponseReader {
  /** The chunks that the last piece had. Each costs time of its own. */
  chunks = 0
  private readonly sink: ResponseSink
  private part = DONE
  private isForHead = false
  private head: ResponseHead | undefined
  /** The bytes of the body or the chunk that are to come. */
  private left = 0
  /** The beginning of a head or of a line whose rest is to come. */
  private kept: Buffer | undefined

  constructor(sink: ResponseSink) {
    this.sink = sink
  }

  /** Starts the next response. @param isForHead it answers the method HEAD, so that it has no body */
  begin(isForHead: boolean): void {
    this.part = HEAD
    this.isForHead = isForHead
    this.head = undefined
    this.kept = undefined
  }

  /** Leaves out everything that is still to come. */
  stop(): void {
    this.part = DONE
  }

  /** Reads the next piece. @throws HttpError `invalid_response`, after the sink has got what came before the fault */
  push(piece: Buffer): void {
    this.chunks = 0
    if (this.part === DONE) return
    const bytes = this.kept === undefined ? piece : Buffer.concat([this.kept, piece])
    this.kept = undefined
    const at = this.part === HEAD ? this.readHead(bytes) : 0
    if (this.part === DONE || this.part === HEAD) return
    this.readBody(bytes, at)
  }

  /** The server has closed its side. Returns false if the response is not whole. */
  finish(): boolean {
    if (this.part !== CLOSE) return this.part === DONE
    this.complete(true)
    return true
  }

  private readBody(bytes: Buffer, from: number): void {
    let at = bytes.length
    if (this.part === LENGTH) {
      const end = from + this.left
      if (end < at) at = end
      this.left -= at - from
      if (at > from) this.sink.onBody(from === 0 && at === bytes.length ? bytes : bytes.subarray(from, at))
      if (this.left === 0) this.complete(at < bytes.length)
    } else if (this.part === CLOSE) {
      if (at > from) this.sink.onBody(bytes.subarray(from))
    } else {
      at = this.readChunks(bytes, from)
      if (this.part === TRAILERS && this.left < 0) this.complete(at < bytes.length)
    }
  }

  /** @param isFollowed something that is no answer follows, or nothing can follow */
  private complete(isFollowed: boolean): void {
    // The sink may have stopped the reader.
    if (this.part === DONE) return
    this.part = DONE
    this.sink.onEnd(this.head!.keepsAlive && !isFollowed)
  }

  /** Reads the head, and interim ones before it. Returns where the body begins. */
  private readHead(bytes: Buffer): number {
    for (let from = 0; ; ) {
      const end = bytes.indexOf(HEAD_END, from)
      if (end < 0) {
        this.keepHead(bytes.subarray(from))
        return bytes.length
      }
      if (end - from > MAX_HEAD_BYTES) throw invalid("a head that is too long")
      const head = readResponseHead(bytes.toString("latin1", from, end))
      from = end + HEAD_END.length
      if (head.status === 101) {
        this.part = DONE
        this.sink.onSwitch(head, bytes.subarray(from))
        return from
      }
      if (head.status > 199) {
        this.startBody(head)
        return from
      }
    }
  }

  private startBody(head: ResponseHead): void {
    this.head = head
    const hasBody = !this.isForHead && head.status !== 204 && head.status !== 304
    this.left = hasBody && head.end === "length" ? head.length : 0
    this.part = !hasBody || head.end === "length" ? LENGTH : head.end === "chunks" ? SIZE : CLOSE
    this.sink.onHead(head)
  }

  /** Keeps the beginning of a head. Something else is found at once, and not when a timeout ends. */
  private keepHead(bytes: Buffer): void {
    if (bytes.length === 0) return
    if (bytes.length > MAX_HEAD_BYTES) throw invalid("a head that is too long")
    const start = bytes.toString("latin1", 0, 9)
    if (!"HTTP/1.1 ".startsWith(start) && !"HTTP/1.0 ".startsWith(start)) throw invalid("no status line")
    const lf = bytes.indexOf(LF)
    if (lf >= 0 && bytes[lf - 1] !== CR) throw invalid("a line end without CR")
    this.kept = bytes
  }

  /** Reads chunks, and gives on their data together, also before a fault. Returns where reading ended. */
  private readChunks(bytes: Buffer, from: number): number {
    const data = { start: 0, end: 0 }
    try {
      return this.joinChunks(bytes, from, data)
    } finally {
      if (data.end > data.start) this.sink.onBody(bytes.subarray(data.start, data.end))
    }
  }

  /** Moves the data of all chunks to where the first begins. */
  private joinChunks(bytes: Buffer, from: number, data: { start: number; end: number }): number {
    const { length } = bytes
    let at = from
    while (at < length) {
      if (this.part === CHUNK) {
        const next = Math.min(at + this.left, length)
        if (data.end === 0) data.start = at
        else if (data.end !== at) bytes.copyWithin(data.end, at, next)
        data.end = (data.end === 0 ? at : data.end) + next - at
        this.left -= next - at
        at = next
        if (this.left === 0) this.part = CHUNK_END
        continue
      }
      const next = this.part === SIZE ? this.readSize(bytes, at) : this.readLineEnd(bytes, at)
      if (next < 0) {
        this.keepLine(bytes.subarray(at))
        return length
      }
      at = next
      if (this.part === TRAILERS && this.left < 0) return at
    }
    return at
  }

  /** Reads the line with the size of a chunk. Returns -1 if its rest is to come. */
  private readSize(bytes: Buffer, from: number): number {
    const { length } = bytes
    let at = from
    let size = 0
    for (let digit = toDigit(bytes[at]!); digit >= 0; digit = at < length ? toDigit(bytes[at]!) : -1) {
      size = size * 16 + digit
      at++
    }
    if (at === length) return at - from > MAX_SIZE_DIGITS ? this.rejectSize() : -1
    if (at === from || at - from > MAX_SIZE_DIGITS) this.rejectSize()
    if (bytes[at] !== CR) {
      if (bytes[at] !== SEMICOLON) this.rejectSize()
      // An extension, which nobody needs.
      at = bytes.indexOf(LF, at)
      if (at < 0) return -1
      if (bytes[at - 1] !== CR) this.rejectSize()
      at--
    }
    if (at + 1 === length) return -1
    if (bytes[at + 1] !== LF) this.rejectSize()
    this.chunks++
    this.left = size
    this.part = size === 0 ? TRAILERS : CHUNK
    return at + 2
  }

  private rejectSize(): never {
    throw invalid("an invalid size of a chunk")
  }

  /** Reads the line end after a chunk, or a line of the trailers; `left` is -1 after their empty line. */
  private readLineEnd(bytes: Buffer, from: number): number {
    const lf = this.part === CHUNK_END ? from + 1 : bytes.indexOf(LF, from)
    if (lf < 0 || lf >= bytes.length) return -1
    if (bytes[lf - 1] !== CR || bytes[lf] !== LF) throw invalid("a chunk without its end")
    if (this.part === CHUNK_END) this.part = SIZE
    else if (lf - from === 1) this.left = -1
    return lf + 1
  }

  private keepLine(bytes: Buffer): void {
    if (bytes.length > MAX_LINE_BYTES) throw invalid("a line that is too long")
    this.kept = bytes
  }
}

/** Returns the value of a hexadecimal digit, or -1. */
function toDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
