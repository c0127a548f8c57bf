import { ProtocolError } from "./wire.ts"

/** The message types that a client may send after startup. Any other would end the backend that all clients share. */
const FRONTEND_TYPES = "QPBDECHSFdcfX"
/**
 * Messages without data. The backend ends its session when one is longer than PQ_SMALL_MESSAGE_LIMIT (10,000 bytes).
 */
const SMALL_TYPES = "DECHScf"
const MAX_SMALL_BYTES = 9_000
/** The largest single message: a statement, its parameters or a piece of COPY data. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024
const MAX_STARTUP_BYTES = 10_000

/** Splits the bytes of a socket into packets. Joins chunks only when a packet spans them, and then once. */
interface FrameReader {
  push(chunk: Buffer): void
  /** Returns the next complete startup packet, which has no type byte. Throws `ProtocolError`. */
  nextStartup(): Buffer | undefined
  /** Returns the next complete message, which starts with its type byte. Throws `ProtocolError`. */
  nextMessage(): Buffer | undefined
}

export function createFrameReader(): FrameReader {
  let chunks: Buffer[] = []
  let heldBytes = 0

  const join = (): Buffer => {
    if (chunks.length > 1) chunks = [Buffer.concat(chunks)]
    return chunks[0] ?? Buffer.alloc(0)
  }
  const peek = (bytes: number): Buffer | undefined => {
    if (heldBytes < bytes) return undefined
    return chunks[0]!.length >= bytes ? chunks[0] : join()
  }
  const take = (bytes: number): Buffer | undefined => {
    const held = peek(bytes)
    if (!held) return undefined
    if (held.length === bytes) chunks.shift()
    else chunks[0] = held.subarray(bytes)
    heldBytes -= bytes
    return held.subarray(0, bytes)
  }

  return {
    push(chunk) {
      chunks.push(chunk)
      heldBytes += chunk.length
    },
    nextStartup() {
      const length = peek(8)?.readInt32BE(0)
      if (length === undefined) return undefined
      if (length < 8 || length > MAX_STARTUP_BYTES) throw new ProtocolError("invalid length of startup packet")
      return take(length)
    },
    nextMessage() {
      const head = peek(5)
      if (!head) return undefined
      const type = String.fromCharCode(head[0]!)
      if (!FRONTEND_TYPES.includes(type)) throw new ProtocolError(`invalid frontend message type ${head[0]}`)
      const length = head.readInt32BE(1)
      const maxBytes = SMALL_TYPES.includes(type) ? MAX_SMALL_BYTES : MAX_MESSAGE_BYTES
      if (length < 4 || length > maxBytes)
        throw new ProtocolError(`invalid message length ${length} (at most ${maxBytes})`)
      return take(1 + length)
    },
  }
}
