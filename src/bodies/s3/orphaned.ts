import { readdir, readFile, unlink } from "node:fs/promises"
import { join } from "node:path"
import { recordLength } from "./record.ts"

export const SEGMENT = ".seg"
export const LARGE = ".large"
export const PART = ".part"

const NAME = /^(\d{12})(?:\.([0-9a-f-]{36}))?(\.seg|\.large|\.part)$/

export interface OrphanedFile {
  readonly name: string
  /** Of its whole records. */
  readonly bytes: number
  readonly records: number
}

/** What earlier processes left in the spool, oldest first. Files that hold nothing whole are deleted. */
export async function findOrphanedFiles(
  dir: string,
  onError: (error: unknown, doing: string) => void,
): Promise<{
  readonly files: readonly OrphanedFile[]
  readonly torn: readonly { readonly id: string; readonly name: string }[]
  readonly lastNumber: number
}> {
  const files: OrphanedFile[] = []
  const torn: { id: string; name: string }[] = []
  let lastNumber = 0
  for (const name of (await readdir(dir)).sort()) {
    const [, number, id, kind] = NAME.exec(name) ?? []
    if (number === undefined) continue
    lastNumber = Number(number)
    if (kind === PART) {
      torn.push({ id: id!, name })
      continue
    }
    try {
      const file = countRecords(name, await readFile(join(dir, name)))
      if (file.records > 0) files.push(file)
      else await unlink(join(dir, name))
    } catch (error) {
      onError(error, "reading bodies that an earlier run left")
    }
  }
  return { files, torn, lastNumber }
}

function countRecords(name: string, bytes: Buffer): OrphanedFile {
  let at = 0
  let records = 0
  for (;;) {
    const length = recordLength(bytes, at)
    if (length === undefined || length < 0 || at + length > bytes.length) return { name, bytes: at, records }
    at += length
    records++
  }
}
