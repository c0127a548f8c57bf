import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import { recordLength } from "./record.ts"
import type { SpoolFile } from "./spool.ts"

/** One file of the spool while it is read. */
export interface Reading {
  file: SpoolFile
  handle: FileHandle | undefined
  readTo: number
  /** Up to `readTo`. */
  recordsRead: number
  /** Records read that are not in S3 yet. */
  outstanding: number
  /** What was read ahead, from `readTo` on. */
  ahead: Buffer
}

export type Next =
  | { readonly kind: "record"; readonly reading: Reading; readonly record: Buffer }
  /** The rest of the file, with so many records, is of no use: a disk, or a hand, has changed it. */
  | { readonly kind: "damaged"; readonly reading: Reading; readonly records: number }
  | { readonly kind: "none" }

const READ_BYTES = 256 << 10
const EMPTY = Buffer.alloc(0)

export function beginReading(file: SpoolFile): Reading {
  return { file, handle: undefined, readTo: 0, recordsRead: 0, outstanding: 0, ahead: EMPTY }
}

/** The oldest record that was not read. One caller at a time. */
export async function readNext(dir: string, readings: Iterable<Reading>): Promise<Next> {
  for (const reading of readings) {
    if (reading.readTo >= reading.file.bytes) continue
    try {
      const record = await readRecord(dir, reading)
      reading.readTo += record.length
      reading.recordsRead++
      reading.outstanding++
      return { kind: "record", reading, record }
    } catch {
      const records = reading.file.records - reading.recordsRead
      reading.readTo = reading.file.bytes
      reading.recordsRead = reading.file.records
      reading.ahead = EMPTY
      return { kind: "damaged", reading, records }
    }
  }
  return { kind: "none" }
}

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
