import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { readCounters } from "../../kit/log/counter-file.ts"
import { readCursor } from "../../kit/log/cursor.ts"
import { DAMAGED_FILE } from "../../kit/log/damaged.ts"
import { JOURNAL_EXTENSION } from "../../kit/log/journal.ts"
import { findId, findPayloadEnd, forEachLine, kindOfLine } from "../../kit/log/line.ts"
import { numberOfSegment } from "../../kit/log/segment.ts"
import { REJECTED_FILE } from "./rejected.ts"
import { parseTotals } from "./totals.ts"

/** The contents of the journals of all processes, as the ids of their rows. */
interface JournalSummary {
  /** Rows that are not known to be in the database. */
  readonly waiting: readonly string[]
  /** Rows before the cursor: the database must have them. */
  readonly acknowledged: readonly string[]
  /** Rows in `rejected.jsonl` and `damaged.jsonl`; `""` for one whose id cannot be read. */
  readonly rejected: readonly string[]
  /** Requests with an intent and without a row. */
  readonly open: number
  /** Rows that only the memory of a process has. */
  readonly inMemory: number
  /** Dropped rows that no gap row counts yet. */
  readonly dropped: number
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * Reads the journals below `root`, which other processes may be writing at the same time, and changes nothing. A file
 * that disappears meanwhile is one whose rows are in the database.
 */
export async function readJournals(root: string): Promise<JournalSummary> {
  const waiting = new Set<string>()
  const acknowledged = new Set<string>()
  const rejected: string[] = []
  let open = 0
  let inMemory = 0
  let dropped = 0
  for (const dir of await listSlots(root)) {
    const totals = parseTotals(readCounters(dir))
    inMemory += totals.memory
    for (const { count, isSent } of totals.gaps) if (!isSent) dropped += count
    open += await readJournal(dir, waiting, acknowledged)
    for (const file of [REJECTED_FILE, DAMAGED_FILE]) {
      rejected.push(...idsOfRejected((await readOrNothing(join(dir, file))).toString()))
    }
  }
  return { waiting: [...waiting], acknowledged: [...acknowledged], rejected, open, inMemory, dropped }
}

/** Adds the ids of the rows of one journal. Returns how many intents have no row. */
async function readJournal(dir: string, waiting: Set<string>, acknowledged: Set<string>): Promise<number> {
  const cursor = await readCursor(dir)
  const names = (await listOrNothing(dir)).filter((name) => numberOfSegment(name, JOURNAL_EXTENSION) !== undefined)
  const open = new Set<string>()
  for (const name of names.sort()) {
    const number = numberOfSegment(name, JOURNAL_EXTENSION)!
    const bytes = await readOrNothing(join(dir, name))
    forEachLine(bytes, 0, bytes.length, (start, end) => {
      const kind = kindOfLine(bytes, start, end)
      if (kind === "blank" || kind === "malformed") return
      const id = findId(bytes, start, end, kind)
      if (id === undefined || !UUID.test(id) || findPayloadEnd(bytes, start, end, kind) === -1) return
      if (kind === "intent") return void open.add(id)
      open.delete(id)
      const isBefore = cursor && (number < cursor.segment || (number === cursor.segment && start < cursor.offset))
      ;(isBefore ? acknowledged : waiting).add(id)
    })
  }
  return open.size
}

/** `ROOT/1`, `ROOT/2`, …: see `kit/log/slots.ts`. */
async function listSlots(root: string): Promise<string[]> {
  return (await listOrNothing(root)).filter((name) => /^\d+$/.test(name)).map((name) => join(root, name))
}

function idsOfRejected(text: string): string[] {
  return text.split("\n").flatMap((line) => (line === "" ? [] : [/"id\\?":\\?"([0-9a-f-]{36})/i.exec(line)?.[1] ?? ""]))
}

function listOrNothing(dir: string): Promise<string[]> {
  return orNothing(readdir(dir), [])
}

function readOrNothing(path: string): Promise<Buffer> {
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
