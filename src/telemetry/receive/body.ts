import { gunzip } from "node:zlib"
import { LOGS, LOGS_ANSWER, STATUS } from "../otlp/messages.ts"
import { decode, encode, type Message } from "../otlp/wire.ts"

/** The two forms of OTLP over HTTP. An answer has the form of its request. */
type Form = "application/x-protobuf" | "application/json"

/** A request that the receiver does not accept. The message is safe to show. */
export class ReceiverError extends Error {
  override readonly name = "ReceiverError"
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Returns the form of a request. @throws ReceiverError 415 */
export function toForm(contentType: string | undefined): Form {
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase()
  if (type === "application/x-protobuf" || type === "application/json") return type
  throw new ReceiverError(415, "the content type must be application/x-protobuf or application/json")
}

/**
 * Returns the bytes of a body without its compression.
 * @throws ReceiverError 413 if there are more than `maxBytes`, however small the compressed ones are; 400, 415
 */
export async function decompress(bytes: Buffer, coding: string | undefined, maxBytes: number): Promise<Buffer> {
  const name = coding?.trim().toLowerCase() ?? ""
  if (name === "" || name === "identity") return bytes
  if (name !== "gzip") throw new ReceiverError(415, "the content encoding must be gzip, or none")
  return new Promise((resolve, reject) =>
    gunzip(bytes, { maxOutputLength: maxBytes }, (error, plain) => {
      if (error === null) resolve(plain)
      else if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") reject(tooLarge(maxBytes))
      else reject(new ReceiverError(400, "the body is not valid gzip"))
    }),
  )
}

export function tooLarge(maxBytes: number): ReceiverError {
  return new ReceiverError(413, `the body has more than ${maxBytes} bytes (telemetry.receiver.max_body_size)`)
}

/** Parses logs. @throws ReceiverError 400 */
export function parseLogs(bytes: Buffer, form: Form): Message {
  try {
    const message: unknown = form === "application/json" ? JSON.parse(bytes.toString()) : decode(LOGS, bytes)
    if (typeof message === "object" && message !== null) return message as Message
  } catch {
    // The error of a parser repeats parts of the body.
  }
  throw new ReceiverError(400, "the body is no OTLP message of logs")
}

/** Returns the answer to logs, which says how many events were rejected. */
export function toLogsAnswer(form: Form, rejected: number, errorMessage: string | undefined): Uint8Array {
  const partial = rejected === 0 ? {} : { partialSuccess: { rejectedLogRecords: String(rejected), errorMessage } }
  return form === "application/json" ? Buffer.from(JSON.stringify(partial)) : encode(LOGS_ANSWER, partial)
}

/** The codes of gRPC that `google.rpc.Status` has. */
const RPC_CODES: Readonly<Record<number, number>> = { 400: 3, 401: 16, 403: 7, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14 }

/** Returns the body of an error answer, as OTLP wants it. */
export function toErrorBody(form: Form, status: number, message: string): Uint8Array {
  const body = { code: RPC_CODES[status] ?? 2, message }
  return form === "application/json" ? Buffer.from(JSON.stringify(body)) : encode(STATUS, body)
}
