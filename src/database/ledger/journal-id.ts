import { randomUUID } from "node:crypto"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const FILE = "id"
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Returns the id of a journal, by which the database knows it (`majordomo_journals`). The first call for a directory
 * creates it. Returns `undefined` when the disk does not store it; the journal is then like one of an earlier version.
 */
export function readJournalId(dir: string): string | undefined {
  const path = join(dir, FILE)
  try {
    return toId(path) ?? createId(path)
  } catch {
    return undefined
  }
}

function toId(path: string): string | undefined {
  try {
    const id = readFileSync(path, "utf8").trim()
    return UUID.test(id) ? id : undefined
  } catch {
    return undefined
  }
}

function createId(path: string): string {
  const id = randomUUID()
  rmSync(path, { force: true })
  writeFileSync(path, `${id}\n`, { mode: 0o600, flag: "wx", flush: true })
  return id
}
