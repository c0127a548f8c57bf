import { setImmediate as yieldToOthers } from "node:timers/promises"
import { CHECKSUM_BYTES, crc32, readChecksum, writeChecksum } from "../../kit/log/checksum.ts"
import type { CapturedBody, CapturedExchange } from "../_store.ts"

/*
 * One captured exchange in the spool:
 *
 *   magic "MBJ1" and the lengths of the three parts (32 bits each, little endian)
 *   the note: what is known of the exchange, a JSON object whose last member is the checksum (kit/log/checksum.ts)
 *   the request's body, the response's body
 *
 * The checksum covers everything except itself. A record whose end is missing was torn by a kill; the row of that
 * request was never written either. Records of earlier versions have no checksum and are accepted unchecked.
 */
const MAGIC = 0x314a424d // "MBJ1"
const HEADER_BYTES = 16
/** The checksum and the closing brace of the note. */
const NOTE_END_BYTES = CHECKSUM_BYTES + 1
const CLOSE_OBJECT = 0x7d
/** The checksum of 1 MiB takes about 0.2 ms. */
const STEP_BYTES = 1 << 20
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

interface Note {
  readonly key: string
  readonly exchange: Omit<CapturedExchange, "request" | "response">
  readonly request: Omit<CapturedBody, "bytes"> | undefined
  readonly response: Omit<CapturedBody, "bytes"> | undefined
}

export interface StoredExchange {
  /** The key of the object in S3. */
  readonly key: string
  readonly exchange: CapturedExchange
}

/** A record in pieces, to be written one after the other. The first piece is header and note; bodies are not copied. */
export interface BodyRecord {
  readonly pieces: readonly Buffer[]
  readonly length: number
}

/** Encodes an exchange. Its checksum is missing until `addChecksum`. */
export function toRecord({ key, exchange }: StoredExchange): BodyRecord {
  const { request, response, ...rest } = exchange
  const note: Note = { key, exchange: rest, request: withoutBytes(request), response: withoutBytes(response) }
  const text = JSON.stringify(note)
  const noteBytes = Buffer.byteLength(text) + CHECKSUM_BYTES
  const head = Buffer.allocUnsafe(HEADER_BYTES + noteBytes)
  head.writeUInt32LE(MAGIC, 0)
  head.writeUInt32LE(noteBytes, 4)
  head.writeUInt32LE(request?.bytes.length ?? 0, 8)
  head.writeUInt32LE(response?.bytes.length ?? 0, 12)
  head.write(text, HEADER_BYTES)
  head[head.length - 1] = CLOSE_OBJECT
  const pieces = [head, ...[request, response].flatMap((body) => (body && body.bytes.length > 0 ? [body.bytes] : []))]
  return { pieces, length: pieces.reduce((sum, piece) => sum + piece.length, 0) }
}

/** Writes the checksum of a record into its first piece. */
export function addChecksum({ pieces: [head, ...bodies] }: BodyRecord): void {
  const payloadEnd = head!.length - NOTE_END_BYTES
  const checksum = bodies.reduce((sum, body) => crc32(body, 0, body.length, sum), crc32(head!, 0, payloadEnd))
  writeChecksum(head!, payloadEnd, checksum)
}

/** The same for a large record, without blocking the event loop for longer than one step takes. */
export async function addChecksumInSteps({ pieces: [head, ...bodies] }: BodyRecord): Promise<void> {
  const payloadEnd = head!.length - NOTE_END_BYTES
  let checksum = crc32(head!, 0, payloadEnd)
  for (const body of bodies) {
    for (let at = 0; at < body.length; at += STEP_BYTES) {
      checksum = crc32(body, at, Math.min(at + STEP_BYTES, body.length), checksum)
      await yieldToOthers()
    }
  }
  writeChecksum(head!, payloadEnd, checksum)
}

/**
 * Returns the length of the record that begins at `at`, -1 when no record begins there, and `undefined` when fewer
 * bytes than a header are left.
 */
export function recordLength(bytes: Buffer, at: number): number | undefined {
  if (bytes.length - at < HEADER_BYTES) return undefined
  if (bytes.readUInt32LE(at) !== MAGIC) return -1
  return HEADER_BYTES + bytes.readUInt32LE(at + 4) + bytes.readUInt32LE(at + 8) + bytes.readUInt32LE(at + 12)
}

/** Returns whether a whole record is as it was written, by its checksum. */
export function isIntact(record: Buffer): boolean {
  const noteEnd = HEADER_BYTES + record.readUInt32LE(4)
  const payloadEnd = noteEnd - NOTE_END_BYTES
  const checksum = readChecksum(record, payloadEnd)
  if (checksum === undefined) return true
  return checksum === crc32(record, noteEnd, record.length, crc32(record, 0, payloadEnd))
}

/** Decodes a whole record. @throws when it is damaged in a way that its checksum does not detect */
export function fromRecord(record: Buffer): StoredExchange {
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

/** Returns the id of the request in a damaged record, or `undefined` when it cannot be read. */
export function findRequestId(record: Buffer): string | undefined {
  try {
    const { id } = fromRecord(record).exchange
    return UUID.test(id) ? id : undefined
  } catch {
    return undefined
  }
}

function withoutBytes(body: CapturedBody | undefined): Omit<CapturedBody, "bytes"> | undefined {
  return body && { totalBytes: body.totalBytes, isTruncated: body.isTruncated, coding: body.coding }
}
