/** The messages of PostgreSQL's frontend/backend protocol 3 that the multiplexer itself reads and writes. */

export const PROTOCOL_3 = 196_608

/** A client violated the protocol or one of its limits. The message is sent to that client. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError"
}

/** Builds one message from its type and its parts. Texts are written without a terminating zero byte. */
export function toMessage(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part))
  const head = Buffer.alloc(5)
  head.write(type, 0, "latin1")
  head.writeInt32BE(4 + body.reduce((sum, part) => sum + part.length, 0), 1)
  return Buffer.concat([head, ...body])
}

export const toQuery = (sql: string): Buffer => toMessage("Q", `${sql}\0`)

/** Builds a startup packet for the only role of the embedded database. */
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

/** Builds the message that deallocates a prepared statement. */
export const toCloseStatement = (name: string): Buffer => toMessage("C", "S", `${name}\0`)

/** CopyInResponse: asks the client to send its rows, in text format, for any number of columns. */
export const COPY_IN_RESPONSE = toMessage("G", Buffer.from([0, 0, 0]))

/** Returns the text of a Query or Parse message. */
export function statementText(message: Buffer): string {
  const start = message[0] === 0x51 ? 5 : endOfText(message, 5) + 1
  return message.toString("utf8", start, endOfText(message, start))
}

/** Returns the position of the zero byte that ends the text at `from`. Throws `ProtocolError` when there is none. */
export function endOfText(message: Buffer, from: number): number {
  const end = message.indexOf(0, from)
  if (end < 0) throw new ProtocolError("invalid string in message")
  return end
}
