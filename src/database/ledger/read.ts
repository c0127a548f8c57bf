import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import type { JournalRecord } from "../../core/log-record.ts"
import { readCounters } from "../../kit/log/counter-file.ts"
import { readCursor } from "../../kit/log/cursor.ts"
import { DAMAGED_FILE } from "../../kit/log/damaged.ts"
import { JOURNAL_EXTENSION } from "../../kit/log/journal.ts"
import { findId, findPayloadEnd, forEachLine, kindOfLine } from "../../kit/log/line.ts"
import { numberOfSegment } from "../../kit/log/segment.ts"
import { isSlotName } from "../../kit/log/slots.ts"
import { isUuid } from "../../kit/uuid.ts"
import { REJECTED_FILE } from "./rejected.ts"
import { parseTotals } from "./totals.ts"

/**
 * An item of a job (see `jobs.ts`). Several lines may be about the same item, of which only one becomes a row, so it is
 * known by its key.
 */
export interface JournalItem {
  readonly id: string
  readonly provider: string
  readonly source: string
  readonly item: string
}

/** The contents of the journals of all processes, as the ids of their rows. */
interface JournalSummary {
  /** Rows that are not known to be in the database. */
  readonly waiting: readonly string[]
  /** Rows before the cursor: the database must have them, unless they were pruned. */
  readonly acknowledged: readonly AcknowledgedRow[]
  /** The same for items of jobs, of which the database has the item, if not the row. */
  readonly waitingItems: readonly JournalItem[]
  readonly acknowledgedItems: readonly JournalItem[]
  /** Rows in `rejected.jsonl` and `damaged.jsonl`; `""` for one whose id cannot be read. */
  readonly rejected: readonly string[]
  /** Requests with an intent and without a row. */
  readonly open: number
  /** Rows that only the memory of a process has. */
  readonly inMemory: number
  /** Dropped rows that no gap row counts yet. */
  readonly dropped: number
  /** Files and directories that could not be read, so that their contents are not known. */
  readonly unreadable: readonly UnreadableFile[]
}

export interface UnreadableFile {
  readonly path: string
  /** The code of the system's error, such as `EACCES`. */
  readonly code: string
}

interface AcknowledgedRow {
  readonly id: string
  /** When the request ended, in ms since the epoch. NaN if the line does not say it. */
  readonly endedAt: number
}

/**
 * Reads the journals below `root`, which other processes may be writing at the same time, and changes nothing. A file
 * that disappears meanwhile is one whose rows are in the database. A file that cannot be read is named, and the others are
 * read.
 */
export async function readJournals(root: string): Promise<JournalSummary> {
  const waiting = new Lines()
  const acknowledged = new Lines()
  const rejected: string[] = []
  let open = 0
  let inMemory = 0
  let dropped = 0
  const reader = new Reader()
  for (const dir of await listSlots(reader, root)) {
    const totals = parseTotals(await reader.read(dir, undefined, async () => readCounters(dir)))
    inMemory += totals.memory
    for (const { count, isSent } of totals.gaps) if (!isSent) dropped += count
    open += await readJournal(reader, dir, waiting, acknowledged)
    for (const file of [REJECTED_FILE, DAMAGED_FILE]) {
      rejected.push(...idsOfRejected((await reader.file(join(dir, file))).toString()))
    }
  }
  return {
    waiting: [...waiting.rows.keys()],
    acknowledged: [...acknowledged.rows.values()],
    waitingItems: waiting.items,
    acknowledgedItems: acknowledged.items,
    rejected,
    open,
    inMemory,
    dropped,
    unreadable: reader.unreadable,
  }
}

/** Reads files and directories. One that does not exist is empty, and one that cannot be read is empty and named. */
class Reader {
  readonly unreadable: UnreadableFile[] = []

  file(path: string): Promise<Buffer> {
    return this.read(path, Buffer.alloc(0), () => readFile(path))
  }

  list(dir: string): Promise<string[]> {
    return this.read(dir, [], () => readdir(dir))
  }

  async read<T>(path: string, nothing: T, read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      const { code = "unknown error", path: failed = path } = error as NodeJS.ErrnoException
      if (code !== "ENOENT") this.unreadable.push({ path: failed, code })
      return nothing
    }
  }
}

/** The lines on one side of the cursors. */
class Lines {
  readonly rows = new Map<string, AcknowledgedRow>()
  readonly items: JournalItem[] = []

  /** @param payload the JSON of the line without its checksum */
  add(id: string, payload: string): void {
    const { provider, job, created_at } = parseRecord(payload)
    if (provider !== undefined && job && "item" in job) {
      this.items.push({ id, provider, source: job.source, item: job.item })
    } else {
      this.rows.set(id, { id, endedAt: Date.parse(created_at ?? "") })
    }
  }
}

/** Adds the rows of one journal. Returns how many intents have no row. */
async function readJournal(reader: Reader, dir: string, waiting: Lines, acknowledged: Lines): Promise<number> {
  const cursor = await readCursor(dir)
  const names = (await reader.list(dir)).filter((name) => numberOfSegment(name, JOURNAL_EXTENSION) !== undefined)
  const open = new Set<string>()
  for (const name of names.sort()) {
    const number = numberOfSegment(name, JOURNAL_EXTENSION)!
    const bytes = await reader.file(join(dir, name))
    forEachLine(bytes, 0, bytes.length, (start, end) => {
      const kind = kindOfLine(bytes, start, end)
      if (kind === "blank" || kind === "malformed") return
      const id = findId(bytes, start, end, kind)
      const payloadEnd = findPayloadEnd(bytes, start, end, kind)
      if (id === undefined || !isUuid(id) || payloadEnd === -1) return
      if (kind === "intent") return void open.add(id)
      open.delete(id)
      const isBefore = cursor && (number < cursor.segment || (number === cursor.segment && start < cursor.offset))
      const side = isBefore ? acknowledged : waiting
      side.add(id, `${bytes.toString("utf8", start, payloadEnd)}}`)
    })
  }
  return open.size
}

/** Returns the members of a row that are read here; none for a line that is not JSON. */
function parseRecord(payload: string): Partial<Pick<JournalRecord, "provider" | "job" | "created_at">> {
  try {
    return JSON.parse(payload)
  } catch {
    return {}
  }
}

/** `ROOT/1`, `ROOT/2`, …: see `kit/log/slots.ts`. */
async function listSlots(reader: Reader, root: string): Promise<string[]> {
  return (await reader.list(root)).filter(isSlotName).map((name) => join(root, name))
}

function idsOfRejected(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    if (line === "") return []
    const records = /^\{"file":"[^"]*","offset":\d+,"reason":"[^"]*","records":(\d+)/.exec(line)?.[1]
    if (records !== undefined) return Array.from({ length: Number(records) }, () => "")
    return [/"id\\?":\\?"([0-9a-f-]{36})/i.exec(line)?.[1] ?? ""]
  })
}
