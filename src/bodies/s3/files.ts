import { readdir, readFile, unlink } from "node:fs/promises"
import { join } from "node:path"
import type { DamagedRecord } from "../../kit/log/damaged.ts"
import { recordLength } from "./record.ts"

/*
 * The bodies that wait for S3 are on the disk beside the journal, so that they survive any end of this process.
 *
 *   DIRECTORY/                  0700
 *     000000000001.seg          0600: a segment, one record after the other; the newest is written, all are uploaded
 *     000000000002.ID.large     one record that was too large to be written while its answer waited
 *     000000000003.ID.part      the same while it is being written. When an earlier process left it, the row of that
 *                               request names an object that will never exist
 *     damaged.jsonl             records that the disk has damaged
 *
 * A file is deleted when all of its objects are in S3. After a kill, a segment is uploaded again from its beginning.
 * That changes nothing, because the keys are the same.
 */
export const SEGMENT = ".seg"
export const LARGE = ".large"
export const PART = ".part"

const NAME = /^(\d{12})(?:\.([0-9a-f-]{36}))?(\.seg|\.large|\.part)$/

/** A file whose records wait for their upload. */
export interface SpoolFile {
  readonly name: string
  /** Length of its whole records so far. */
  readonly bytes: number
  readonly records: number
  /** The file gets no more records. */
  readonly isSealed: boolean
}

/** Returns whether a directory holds bodies that wait for S3, given the names of its files. */
export function hasWaitingBodies(names: readonly string[]): boolean {
  return names.some((name) => NAME.test(name))
}

/** The files that earlier processes left in the spool. */
export interface OrphanedFiles {
  /** Oldest first. */
  readonly files: readonly SpoolFile[]
  /** Large records that were being written. */
  readonly interrupted: readonly { readonly id: string; readonly name: string }[]
  /** Rests of files that are not records. Each hides at least one record. */
  readonly damaged: readonly DamagedRecord[]
  /** The highest number that a file has. */
  readonly lastNumber: number
}

/** Finds the files of earlier processes. Files without a whole record are deleted. */
export async function findOrphanedFiles(
  dir: string,
  onError: (error: unknown, doing: string) => void,
): Promise<OrphanedFiles> {
  const files: SpoolFile[] = []
  const interrupted: { id: string; name: string }[] = []
  const damaged: DamagedRecord[] = []
  let lastNumber = 0
  for (const name of (await readdir(dir)).sort()) {
    const [, number, id, kind] = NAME.exec(name) ?? []
    if (number === undefined) continue
    lastNumber = Number(number)
    if (kind === PART) {
      interrupted.push({ id: id!, name })
      continue
    }
    try {
      const bytes = await readFile(join(dir, name))
      const file = countRecords(name, bytes)
      const rest = bytes.subarray(file.bytes)
      if (isDamaged(rest)) damaged.push({ file: name, offset: file.bytes, reason: "it is not a record", bytes: rest })
      if (file.records > 0) files.push(file)
      else await unlink(join(dir, name))
    } catch (error) {
      onError(error, "reading bodies that an earlier process left")
    }
  }
  return { files, interrupted, damaged, lastNumber }
}

function countRecords(name: string, bytes: Buffer): SpoolFile {
  let at = 0
  let records = 0
  for (;;) {
    const length = recordLength(bytes, at)
    if (length === undefined || length < 0 || at + length > bytes.length) {
      return { name, bytes: at, records, isSealed: true }
    }
    at += length
    records++
  }
}

/**
 * Returns whether the rest of a file is damaged rather than torn. A torn record begins as a record does, or, after a
 * power cut, is zeros.
 */
function isDamaged(rest: Buffer): boolean {
  return recordLength(rest, 0) === -1 && rest.some((byte) => byte !== 0)
}
