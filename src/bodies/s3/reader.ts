import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import type { SpoolFile } from "./files.ts"
import { isIntact, recordLength } from "./record.ts"

/** One file of the spool while it is read. */
export interface Reading {
  file: SpoolFile
  handle: FileHandle | undefined
  readTo: number
  /** Up to `readTo`. */
  recordsRead: number
  /** Records that were read and are not in S3 yet. */
  outstanding: number
  /** Bytes that were read ahead, from `readTo` on. */
  ahead: Buffer
}

type Next =
  | { readonly kind: "record"; readonly reading: Reading; readonly record: Buffer }
  /** One record whose checksum does not match. */
  | { readonly kind: "damaged"; readonly reading: Reading; readonly record: Buffer; readonly offset: number }
  /** The rest of the file, with this many records, cannot be read: it is no record, or it is gone. */
  | {
      readonly kind: "unreadable"
      readonly reading: Reading
      readonly records: number
      readonly bytes: Buffer
      readonly offset: number
    }
  | { readonly kind: "none" }

const READ_BYTES = 256 << 10
const EMPTY = Buffer.alloc(0)

export function beginReading(file: SpoolFile): Reading {
  return { file, handle: undefined, readTo: 0, recordsRead: 0, outstanding: 0, ahead: EMPTY }
}

/** Returns the oldest record that was not read. Only one caller at a time. */
export async function readNext(dir: string, readings: Iterable<Reading>): Promise<Next> {
  for (const reading of readings) {
    if (reading.readTo >= reading.file.bytes) continue
    const offset = reading.readTo
    const record = await readRecord(dir, reading).catch(() => undefined)
    if (record === undefined) return skipRest(reading, offset)
    reading.readTo += record.length
    reading.recordsRead++
    if (!isIntact(record)) return { kind: "damaged", reading, record, offset }
    reading.outstanding++
    return { kind: "record", reading, record }
  }
  return { kind: "none" }
}

/**
 * Discards the rest of a file. Searching it for the next record would not be safe: it contains the bodies of clients,
 * which could contain bytes that look like a record.
 */
function skipRest(reading: Reading, offset: number): Next {
  const records = reading.file.records - reading.recordsRead
  const bytes = reading.ahead
  reading.readTo = reading.file.bytes
  reading.recordsRead = reading.file.records
  reading.ahead = EMPTY
  return { kind: "unreadable", reading, records, bytes, offset }
}

/** @throws when no whole record is there */
async function readRecord(dir: string, reading: Reading): Promise<Buffer> {
  reading.handle ??= await open(join(dir, reading.file.name), "r")
  let length = recordLength(reading.ahead, 0)
  if (length === undefined || length > reading.ahead.length) {
    reading.ahead = await fill(reading, Math.max(READ_BYTES, length ?? 0))
    length = recordLength(reading.ahead, 0)
  }
  if (length !== undefined && length > reading.ahead.length) reading.ahead = await fill(reading, length)
  if (length === undefined || length < 0 || length > reading.ahead.length) throw new Error("not a record")
  const record = reading.ahead.subarray(0, length)
  reading.ahead = reading.ahead.subarray(length)
  return record
}

async function fill({ handle, file, readTo }: Reading, wanted: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(Math.min(wanted, file.bytes - readTo))
  let filled = 0
  while (filled < bytes.length) {
    const { bytesRead } = await handle!.read(bytes, filled, bytes.length - filled, readTo + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}
