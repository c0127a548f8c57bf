import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { readCursor } from "../../kit/journal/cursor.ts"
import { findId, forEachLine, kindOfLine } from "../../kit/journal/lines.ts"
import { numberOfSegment } from "../../kit/journal/segment.ts"

/** What the journals of all processes hold, by the ids of their rows. */
export interface JournalSummary {
  /** Lines that are not known to be in the database. */
  readonly waiting: readonly string[]
  /** Lines that the cursor has passed: the database must have them. */
  readonly taken: readonly string[]
  readonly rejected: readonly string[]
  /** Requests that have begun and have no row yet. */
  readonly begun: number
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Looks only, at journals that others may be writing: a file that goes meanwhile is one whose rows were taken. */
export async function readJournals(root: string): Promise<JournalSummary> {
  const waiting = new Set<string>()
  const taken = new Set<string>()
  const rejected: string[] = []
  let begun = 0
  for (const dir of await listDirectories(root)) {
    const cursor = await readCursor(dir)
    const names = (await list(dir)).filter((name) => numberOfSegment(name) !== undefined).sort()
    const open = new Set<string>()
    for (const name of names) {
      const number = numberOfSegment(name)!
      const bytes = await read(join(dir, name))
      forEachLine(bytes, 0, bytes.length, (start, end) => {
        const kind = kindOfLine(bytes, start, end)
        if (kind === "blank" || kind === "broken") return
        const id = findId(bytes, start, end, kind)
        if (id === undefined || !UUID.test(id)) return
        if (kind === "begin") return void open.add(id)
        open.delete(id)
        const isTaken = cursor && (number < cursor.segment || (number === cursor.segment && start < cursor.offset))
        ;(isTaken ? taken : waiting).add(id)
      })
    }
    begun += open.size
    rejected.push(...idsOfRejected((await read(join(dir, "rejected.jsonl"))).toString()))
  }
  return { waiting: [...waiting], taken: [...taken], rejected, begun }
}

/** `ROOT/1`, `ROOT/2`, …: see directories.ts. */
async function listDirectories(root: string): Promise<string[]> {
  return (await list(root)).filter((name) => /^\d+$/.test(name)).map((name) => join(root, name))
}

function idsOfRejected(text: string): string[] {
  return text.split("\n").flatMap((line) => (line === "" ? [] : [/"id\\?":\\?"([0-9a-f-]{36})/i.exec(line)?.[1] ?? ""]))
}

function list(dir: string): Promise<string[]> {
  return orNothing(readdir(dir), [])
}

function read(path: string): Promise<Buffer> {
  return orNothing(readFile(path), Buffer.alloc(0))
}

async function orNothing<T>(reading: Promise<T>, nothing: T): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return nothing
    throw error
  }
}
