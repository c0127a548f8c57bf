import type { CapturedBody, CapturedExchange } from "../_store.ts"

/*
 * One exchange in the spool: magic, lengths of the three parts (32 bits each, little endian), then the parts: what is
 * known of it as JSON, the request's body, the answer's body. A record whose end is missing was torn by a kill: the
 * row of that request was never written either.
 */
const MAGIC = 0x314a424d // "MBJ1"
export const HEADER_BYTES = 16

interface Note {
  readonly key: string
  readonly exchange: Omit<CapturedExchange, "request" | "response">
  readonly request: Omit<CapturedBody, "bytes"> | undefined
  readonly response: Omit<CapturedBody, "bytes"> | undefined
}

export interface Stored {
  readonly key: string
  readonly exchange: CapturedExchange
}

/** The pieces of a record, to be written one after the other; the bodies are not copied. */
export function toRecord({ key, exchange }: Stored): readonly Buffer[] {
  const { request, response, ...rest } = exchange
  const note: Note = { key, exchange: rest, request: withoutBytes(request), response: withoutBytes(response) }
  const text = JSON.stringify(note)
  const noteBytes = Buffer.byteLength(text)
  const head = Buffer.allocUnsafe(HEADER_BYTES + noteBytes)
  head.writeUInt32LE(MAGIC, 0)
  head.writeUInt32LE(noteBytes, 4)
  head.writeUInt32LE(request?.bytes.length ?? 0, 8)
  head.writeUInt32LE(response?.bytes.length ?? 0, 12)
  head.write(text, HEADER_BYTES)
  return [head, ...[request, response].flatMap((body) => (body && body.bytes.length > 0 ? [body.bytes] : []))]
}

/** Length of the record that begins at `at`; undefined: not so many bytes are there. -1: no record begins there. */
export function recordLength(bytes: Buffer, at: number): number | undefined {
  if (bytes.length - at < HEADER_BYTES) return undefined
  if (bytes.readUInt32LE(at) !== MAGIC) return -1
  return HEADER_BYTES + bytes.readUInt32LE(at + 4) + bytes.readUInt32LE(at + 8) + bytes.readUInt32LE(at + 12)
}

/** Reads a whole record. @throws when a disk has made something else of it */
export function fromRecord(record: Buffer): Stored {
  const noteEnd = HEADER_BYTES + record.readUInt32LE(4)
  const requestEnd = noteEnd + record.readUInt32LE(8)
  const { key, exchange, request, response } = JSON.parse(record.toString("utf8", HEADER_BYTES, noteEnd)) as Note
  return {
    key,
    exchange: {
      ...exchange,
      request: request && { ...request, bytes: record.subarray(noteEnd, requestEnd) },
      response: response && { ...response, bytes: record.subarray(requestEnd) },
    },
  }
}

function withoutBytes(body: CapturedBody | undefined): Omit<CapturedBody, "bytes"> | undefined {
  return body && { totalBytes: body.totalBytes, isTruncated: body.isTruncated, coding: body.coding }
}
