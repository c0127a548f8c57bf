/** The parts of PostgreSQL's frontend/backend protocol 3 that the multiplexer reads and writes itself. */

/** Codes that stand where a startup packet has its protocol version. */
export const SSL_REQUEST = 80_877_103
export const GSSENC_REQUEST = 80_877_104
export const CANCEL_REQUEST = 80_877_102
const PROTOCOL_3 = 196_608

/** What a client may send once it is started. Anything else would end the one backend that all clients share. */
const FRONTEND_TYPES = "QPBDECHSFdcfX"
/** Messages that hold no data: the backend ends its session over a longer one (PQ_SMALL_MESSAGE_LIMIT is 10,000). */
const SMALL_TYPES = "DECHScf"
const MAX_SMALL_BYTES = 9_000
/** The largest single message: a statement, its parameters or a piece of COPY data. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024
const MAX_STARTUP_BYTES = 10_000

/** A client broke the protocol, or one of its limits. The message is shown to that client. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError"
}

/** Splits what a socket delivers into packets without joining the same bytes twice. */
export interface FrameReader {
  push(chunk: Buffer): void
  /** The next whole startup packet, which has no type byte. Throws `ProtocolError`. */
  nextStartup(): Buffer | undefined
  /** The next whole message, type byte first. Throws `ProtocolError`. */
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
      const most = SMALL_TYPES.includes(type) ? MAX_SMALL_BYTES : MAX_MESSAGE_BYTES
      if (length < 4 || length > most) throw new ProtocolError(`invalid message length ${length} (at most ${most})`)
      return take(1 + length)
    },
  }
}

/** One message: type, length, and the parts; texts are not terminated here. */
export function toMessage(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part))
  const head = Buffer.alloc(5)
  head.write(type, 0, "latin1")
  head.writeInt32BE(4 + body.reduce((sum, part) => sum + part.length, 0), 1)
  return Buffer.concat([head, ...body])
}

export const toQuery = (sql: string): Buffer => toMessage("Q", `${sql}\0`)

/** A startup packet of the embedded database's only role. */
export function toStartup(): Buffer {
  const body = Buffer.from("user\0postgres\0database\0postgres\0\0")
  const head = Buffer.alloc(8)
  head.writeInt32BE(8 + body.length, 0)
  head.writeInt32BE(PROTOCOL_3, 4)
  return Buffer.concat([head, body])
}

export function toError(severity: "ERROR" | "FATAL", sqlState: string, message: string): Buffer {
  return toMessage("E", `S${severity}\0V${severity}\0C${sqlState}\0M${message}\0\0`)
}

export const toReady = (status: string): Buffer => toMessage("Z", status)

/** "Send me the rows": the answer to COPY … FROM STDIN, in text format, for any number of columns. */
export const COPY_IN_RESPONSE = toMessage("G", Buffer.from([0, 0, 0]))

/** Name and value pairs of a startup packet. */
export function parseStartup(packet: Buffer): {
  readonly version: number
  readonly settings: ReadonlyMap<string, string>
} {
  const fields = packet.toString("utf8", 8).split("\0")
  const settings = new Map<string, string>()
  for (let at = 0; at + 1 < fields.length && fields[at] !== ""; at += 2) settings.set(fields[at]!, fields[at + 1]!)
  return { version: packet.readInt32BE(4), settings }
}

/** For a client that asks for protocol 3.x: "3.0 it is, and I know none of your extensions". */
export function toNegotiateVersion(extensions: readonly string[]): Buffer {
  const counts = Buffer.alloc(8)
  counts.writeInt32BE(PROTOCOL_3, 0)
  counts.writeInt32BE(extensions.length, 4)
  return toMessage("v", counts, ...extensions.map((name) => `${name}\0`))
}

/** The text of a Query or Parse message. */
export function statementText(message: Buffer): string {
  const start = message[0] === 0x51 ? 5 : endOfText(message, 5) + 1
  return message.toString("utf8", start, endOfText(message, start))
}

/** Where the zero byte of the text that starts at `from` stands. */
export function endOfText(message: Buffer, from: number): number {
  const end = message.indexOf(0, from)
  if (end < 0) throw new ProtocolError("invalid string in message")
  return end
}
