import { closeSync, openSync } from "node:fs"
import { open, rename } from "node:fs/promises"
import { join } from "node:path"
import { LARGE, PART, type SpoolFile } from "./files.ts"
import { addChecksumInSteps, type BodyRecord } from "./record.ts"

/** A large record that is being written to a file of its own. */
interface LargeWrite {
  /** The file that stands for the record until it is written. */
  readonly partName: string
  /** Resolves when the record is on the disk, synced. */
  readonly written: Promise<SpoolFile>
}

/**
 * Starts to write a large record. Its empty file exists when this returns: a later process finds by its name that the
 * row of the request names an object. Throws when the disk rejects even that.
 */
export function startLargeWrite(dir: string, stem: string, record: BodyRecord): LargeWrite {
  const partName = stem + PART
  closeSync(openSync(join(dir, partName), "ax", 0o600))
  return { partName, written: writeLarge(dir, stem, record) }
}

async function writeLarge(dir: string, stem: string, record: BodyRecord): Promise<SpoolFile> {
  await addChecksumInSteps(record)
  await writeAll(join(dir, stem + PART), record)
  await rename(join(dir, stem + PART), join(dir, stem + LARGE))
  return { name: stem + LARGE, bytes: record.length, records: 1, isSealed: true }
}

async function writeAll(path: string, { pieces, length }: BodyRecord): Promise<void> {
  const file = await open(path, "r+")
  try {
    const { bytesWritten } = await file.writev(pieces as Buffer[])
    if (bytesWritten !== length) throw Object.assign(new Error("the disk is full"), { code: "ENOSPC" })
    await file.datasync()
  } finally {
    await file.close()
  }
}
