import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { readCursor } from "../kit/log/cursor.ts"
import { JOURNAL_EXTENSION } from "../kit/log/journal.ts"
import { findId, forEachLine, kindOfLine } from "../kit/log/line.ts"
import { numberOfSegment } from "../kit/log/segment.ts"
import { isSlotName } from "../kit/log/slots.ts"
import { isUuid } from "../kit/uuid.ts"
import type { Database } from "./_database.ts"

const IDS_PER_QUERY = 5000

/**
 * Returns how many rows of the journals below `root` are not in the database yet. Reads only what the journals have not
 * crossed off, and changes nothing.
 *
 * @throws the error of the disk if a directory or file cannot be read
 */
export async function countPendingRows(db: Database, root: string): Promise<number> {
  let pending = 0
  for (const name of await readdir(root)) {
    if (isSlotName(name)) pending += await countIn(db, join(root, name))
  }
  return pending
}

async function countIn(db: Database, dir: string): Promise<number> {
  const cursor = await readCursor(dir)
  let pending = 0
  for (const name of await readdir(dir)) {
    const number = numberOfSegment(name, JOURNAL_EXTENSION)
    if (number === undefined || number < (cursor?.segment ?? 0)) continue
    const ids = await readIds(join(dir, name), number === cursor?.segment ? cursor.offset : 0)
    for (let from = 0; from < ids.length; from += IDS_PER_QUERY) {
      const { rows } = await db.query<{ missing: number }>({
        text: `SELECT count(*)::int AS missing FROM unnest($1::uuid[]) AS given(id)
          WHERE NOT EXISTS (SELECT FROM llm_requests r WHERE r.id = given.id)`,
        values: [ids.slice(from, from + IDS_PER_QUERY)],
      })
      pending += rows[0]!.missing
    }
  }
  return pending
}

async function readIds(path: string, from: number): Promise<string[]> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return Buffer.alloc(0) // Its rows are in the database now.
    throw error
  })
  const ids: string[] = []
  forEachLine(bytes, from, bytes.length, (start, end) => {
    const id = kindOfLine(bytes, start, end) === "row" ? findId(bytes, start, end, "row") : undefined
    if (id !== undefined && isUuid(id)) ids.push(id)
  })
  return ids
}
