import { open, readdir } from "node:fs/promises"
import { basename, join } from "node:path"
import type { DamagedRecord } from "./damaged.ts"
import { findId, findPayloadEnd, kindOfLine, readIntent } from "./line.ts"
import { WRONG_CHECKSUM } from "./pack-rows.ts"
import type { Position } from "./position.ts"
import { forEachLineOf } from "./scan.ts"
import { numberOfSegment, type Segment } from "./segment.ts"

/** The rows and intents that earlier processes left in a journal. */
interface RecoveredJournal {
  /** Oldest first. */
  readonly segments: readonly Segment[]
  /** The intents without a row, by id, oldest first. Each is a JSON object. */
  readonly orphanedIntents: ReadonlyMap<string, string>
  /** The intents whose rows are not in the journal, but where they are safe. */
  readonly settledIntents: readonly string[]
  /** Damaged intents whose row is not there either. A damaged row waits for its reader, as every row does. */
  readonly damagedIntents: readonly DamagedRecord[]
  /** How many of them no earlier process has found. */
  readonly newlyDamaged: number
  readonly found: FoundRows
  /** Segments of which only the beginning could be read, or nothing, and why. Their files are kept for a person. */
  readonly unreadable: readonly { readonly path: string; readonly error: unknown }[]
  /** When a segment was last written, in ms since the epoch: about when that process ended. */
  readonly lastWriteMs: number | undefined
}

/** The contents of the segments, compared with the positions that the last process stored. */
export interface FoundRows {
  /** Lines that the reader gets. */
  readonly waiting: number
  /** Lines that were kept after the counters were stored. */
  readonly afterEnd: number
  /** `false`: the cursor cannot be trusted, so lines that are already counted as written may be read again. */
  readonly isCursorFound: boolean
}

/** The positions that the last process stored. */
interface StoredPositions {
  readonly cursor: Position | undefined
  readonly end: Position | undefined
  /** The first segment of that process. Damaged intents before it are counted already. */
  readonly first: number
  /** The ids of intents that are settled although no file says so. */
  readonly settled: readonly string[]
}

/** Reads every segment once. The cursor counts only when it points at the beginning of a line. */
export async function recoverJournal(
  dir: string,
  extension: string,
  { cursor, end, first, settled, reserveBytes }: StoredPositions & { readonly reserveBytes: number },
): Promise<RecoveredJournal> {
  const names = (await readdir(dir)).filter((name) => numberOfSegment(name, extension) !== undefined).sort()
  const intents = new Map<string, Intent>()
  const segments: Segment[] = []
  const unreadable: { path: string; error: unknown }[] = []
  let lastWriteMs: number | undefined
  let afterEnd = 0
  let isCursorFound = names.every((name) => cursor && numberOfSegment(name, extension)! > cursor.segment)
  for (const name of names) {
    const number = numberOfSegment(name, extension)!
    const path = join(dir, name)
    const marks = { cursor: toOffset(cursor, number), end: toOffset(end, number) }
    const scan = await scanSegment(path, marks, { intents, isCounted: number < first })
    if (scan.failure !== undefined) unreadable.push({ path, error: scan.failure })
    if (scan.bytes > 0) lastWriteMs = Math.max(lastWriteMs ?? 0, scan.writtenMs)
    const isFound = number === cursor?.segment && scan.foundCursor
    if (isFound) for (const earlier of segments) Object.assign(earlier, { consumed: earlier.bytes, waiting: 0 })
    isCursorFound ||= isFound
    afterEnd += scan.afterEnd
    const consumed = isFound ? cursor.offset : 0
    const waiting = isFound ? scan.afterCursor : scan.lines
    segments.push({
      number,
      path,
      bytes: scan.bytes,
      consumed,
      waiting,
      fd: undefined,
      room: scan.size === reserveBytes ? scan.size : undefined,
      isUnreadable: scan.failure !== undefined,
    })
  }
  const waiting = segments.reduce((sum, segment) => sum + segment.waiting, 0)
  const settledIntents = settled.filter((id) => intents.delete(id))
  const found = { waiting, afterEnd, isCursorFound }
  return { segments, unreadable, lastWriteMs, found, settledIntents, ...separateDamaged(intents) }
}

/** Returns the offset in a segment from which on its lines stand after the position. */
function toOffset(position: Position | undefined, segment: number): number {
  if (position === undefined || segment > position.segment) return 0
  return segment === position.segment ? position.offset : Number.POSITIVE_INFINITY
}

/** An intent whose row has not been found yet. */
interface Intent {
  readonly file: string
  readonly offset: number
  /** The row as far as it was known. */
  readonly row: string
  /** Why the intent cannot be used, when it is damaged. */
  readonly damage: string | undefined
  /** The whole line. */
  readonly bytes: Buffer | undefined
  /** An earlier process has found it. */
  readonly isCounted: boolean
}

interface Scan {
  /** Length of the whole lines. */
  bytes: number
  /** Length of the file. */
  size: number
  lines: number
  /** Lines that begin at or after the mark. */
  afterCursor: number
  afterEnd: number
  /** The cursor is the beginning of a line, or the end of the last one. */
  foundCursor: boolean
  writtenMs: number
  /** The file could not be read further. */
  failure: unknown
}

/** Errors of this process or this machine, which say nothing about a file. */
const NOT_OF_THE_FILE = new Set([undefined, "EMFILE", "ENFILE", "ENOMEM"])

async function scanSegment(
  path: string,
  marks: { readonly cursor: number; readonly end: number },
  { intents, isCounted }: { readonly intents: Map<string, Intent>; readonly isCounted: boolean },
): Promise<Scan> {
  const nothing = { bytes: 0, size: 0, lines: 0, afterCursor: 0, afterEnd: 0, writtenMs: 0 }
  const scan: Scan = { ...nothing, foundCursor: marks.cursor === 0, failure: undefined }
  const visit = (chunk: Buffer, start: number, end: number, position: number) => {
    scan.bytes = position + (end - start) + 1
    scan.foundCursor ||= position === marks.cursor || scan.bytes === marks.cursor
    const kind = kindOfLine(chunk, start, end)
    if (kind === "blank") return
    if (kind === "intent") return addIntent(intents, toIntent(chunk, start, end, { path, position, isCounted }))
    if (kind === "row" && findPayloadEnd(chunk, start, end, kind) !== -1) {
      const id = findId(chunk, start, end, kind)
      if (id !== undefined) intents.delete(id)
    }
    scan.lines++
    if (position >= marks.cursor) scan.afterCursor++
    if (position >= marks.end) scan.afterEnd++
  }
  try {
    const file = await open(path, "r")
    const read = async () => {
      const { mtimeMs, size } = await file.stat()
      Object.assign(scan, { size, writtenMs: mtimeMs })
      await forEachLineOf(file, visit)
    }
    await read().finally(() => file.close())
  } catch (error) {
    if (NOT_OF_THE_FILE.has((error as NodeJS.ErrnoException).code)) throw error
    scan.failure = error
  }
  return scan
}

type FoundIntent = Intent & { readonly id: string | undefined }

function toIntent(
  chunk: Buffer,
  start: number,
  end: number,
  place: { readonly path: string; readonly position: number; readonly isCounted: boolean },
): FoundIntent {
  const { position, isCounted } = place
  const known = { id: findId(chunk, start, end, "intent"), file: basename(place.path), offset: position, isCounted }
  const payloadEnd = findPayloadEnd(chunk, start, end, "intent")
  const row = payloadEnd === -1 ? "" : readIntent(chunk, start, payloadEnd)
  const damage = payloadEnd === -1 ? WRONG_CHECKSUM : undefined
  return { ...known, row, damage, bytes: damage && Buffer.from(chunk.subarray(start, end)) }
}

/** A damaged intent without an id cannot be matched with its row, so it gets a key that no row has. */
function addIntent(intents: Map<string, Intent>, { id, ...intent }: FoundIntent): void {
  intents.set(id ?? `${intent.file}:${intent.offset}`, intent)
}

function separateDamaged(
  intents: ReadonlyMap<string, Intent>,
): Pick<RecoveredJournal, "orphanedIntents" | "damagedIntents" | "newlyDamaged"> {
  const orphanedIntents = new Map<string, string>()
  const damagedIntents: DamagedRecord[] = []
  let newlyDamaged = 0
  for (const [id, { row, damage, bytes, file, offset, isCounted }] of intents) {
    // Only the checksum finds all damage. A line of an earlier version has none, so it is parsed.
    const reason = damage ?? (isJson(row) ? undefined : "it is not valid JSON")
    if (reason === undefined) orphanedIntents.set(id, row)
    else damagedIntents.push({ file, offset, reason, bytes: bytes ?? Buffer.from(row) })
    if (reason !== undefined && !isCounted) newlyDamaged++
  }
  return { orphanedIntents, damagedIntents, newlyDamaged }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
