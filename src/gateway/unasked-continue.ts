import type { Socket } from "node:net"
import type { buildConnector } from "undici"

/** `HTTP/1.1 100 Continue`, with any minor version and any phrase, up to its empty line. */
const CONTINUE = /^HTTP\/1\.\d 100(?: [^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n/
/** A longer one is not recognized. */
const MAX_BYTES = 1024
const DIGITS_AT = 9
const ONE = 0x31
const ZERO = 0x30

/**
 * Changes how undici connects. undici breaks the connection when a provider sends `100 Continue` although nobody asked for
 * it, which HTTP allows. On these connections such an answer is left out before undici sees it: only at the beginning of
 * an answer, and only if it arrives in one piece. A connection that becomes a WebSocket is left alone from then on.
 */
export function leaveOutUnaskedContinue(connect: buildConnector.connector): buildConnector.connector {
  return (target, callback) =>
    connect(target, (...result) => {
      if (result[1]) leaveOutContinue(result[1])
      callback(...result)
    })
}

/** undici writes the head of each request as text, and its body as bytes. It reads with `read`. */
function leaveOutContinue(socket: Socket): void {
  const read = socket.read.bind(socket)
  const write = socket.write.bind(socket) as (chunk: unknown, ...rest: unknown[]) => boolean
  let isHead = false
  socket.write = (chunk: unknown, ...rest: unknown[]) => {
    if (typeof chunk === "string") isHead = true
    return write(chunk, ...rest)
  }
  socket.read = (size?: number) => {
    const piece: Buffer | null = read(size)
    if (!isHead || piece === null) return piece
    isHead = false
    return isContinue(piece) ? withoutContinue(piece) : piece
  }

  function withoutContinue(piece: Buffer): Buffer | null {
    const match = CONTINUE.exec(piece.toString("latin1", 0, MAX_BYTES))
    if (match === null) {
      if (piece[DIGITS_AT + 2] === ONE) leaveAlone(socket)
      return piece
    }
    isHead = true
    const rest = piece.subarray(match[0].length)
    if (rest.length === 0) return read()
    return isContinue(rest) ? withoutContinue(rest) : rest
  }
}

/** Whether the status begins with 10, so that an ordinary answer costs two comparisons. */
function isContinue(piece: Buffer): boolean {
  return piece[DIGITS_AT] === ONE && piece[DIGITS_AT + 1] === ZERO
}

/** `101 Switching Protocols` ends HTTP on a connection. Deleting the two would make every use of the socket slower. */
function leaveAlone(socket: Socket): void {
  const { read, write } = Object.getPrototypeOf(socket) as Socket
  Object.assign(socket, { read, write })
}
