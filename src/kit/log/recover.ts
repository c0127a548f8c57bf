import { open, readdir } from "node:fs/promises"
import { basename, join } from "node:path"
import type { Position } from "./cursor.ts"
import type { DamagedRecord } from "./damaged.ts"
import { findId, findPayloadEnd, kindOfLine, readIntent } from "./line.ts"
import { WRONG_CHECKSUM } from "./pack-rows.ts"
import { forEachLineOf } from "./scan.ts"
import { numberOfSegment, type Segment } from "./segment.ts"

/** The rows and intents that earlier processes left in a journal. */
interface RecoveredJournal {
  /** Oldest first. */
  readonly segments: readonly Segment[]
  /** The intents without a row, by id, oldest first. Each is a JSON object. */
  readonly orphanedIntents: ReadonlyMap<string, string>
  /** Damaged intents whose row is not there either. A damaged row waits for its reader, as every row does. */
  readonly damagedIntents: readonly DamagedRecord[]
  /** When a segment was last written, in ms since the epoch: about when that process ended. */
  readonly lastWriteMs: number | undefined
}

/** Reads every segment once. The cursor counts only when it points at the beginning of a line. */
export async function recoverJournal(
  dir: string,
  extension: string,
  cursor: Position | undefined,
): Promise<RecoveredJournal> {
  const names = (await readdir(dir)).filter((name) => numberOfSegment(name, extension) !== undefined).sort()
  const intents = new Map<string, Intent>()
  const segments: Segment[] = []
  let lastWriteMs: number | undefined
  for (const name of names) {
    const number = numberOfSegment(name, extension)!
    const path = join(dir, name)
    const scan = await scanSegment(path, number === cursor?.segment ? cursor.offset : 0, intents)
    if (scan.bytes > 0) lastWriteMs = Math.max(lastWriteMs ?? 0, scan.writtenMs)
    const found = number === cursor?.segment && scan.foundOffset
    if (found) for (const earlier of segments) Object.assign(earlier, { consumed: earlier.bytes, waiting: 0 })
    const consumed = found ? cursor.offset : 0
    const waiting = found ? scan.linesAfter : scan.lines
    segments.push({ number, path, bytes: scan.bytes, consumed, waiting, fd: undefined })
  }
  return { segments, lastWriteMs, ...separateDamaged(intents) }
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
}

interface Scan {
  readonly bytes: number
  readonly lines: number
  /** Lines that begin at or after the requested offset. */
  readonly linesAfter: number
  /** The requested offset is the beginning of a line, or the end of the last one. */
  readonly foundOffset: boolean
  readonly writtenMs: number
}

async function scanSegment(path: string, offset: number, intents: Map<string, Intent>): Promise<Scan> {
  const file = await open(path, "r")
  try {
    const { mtimeMs } = await file.stat()
    let lines = 0
    let linesAfter = 0
    let foundOffset = offset === 0
    const bytes = await forEachLineOf(file, (chunk, start, end, position) => {
      foundOffset ||= position === offset || position + (end - start) + 1 === offset
      const kind = kindOfLine(chunk, start, end)
      if (kind === "blank") return
      if (kind === "intent") return addIntent(intents, toIntent(chunk, start, end, { path, position }))
      if (kind === "row" && findPayloadEnd(chunk, start, end, kind) !== -1) {
        const id = findId(chunk, start, end, kind)
        if (id !== undefined) intents.delete(id)
      }
      lines++
      if (position >= offset) linesAfter++
    })
    return { bytes, lines, linesAfter, foundOffset, writtenMs: mtimeMs }
  } finally {
    await file.close()
  }
}

type FoundIntent = Intent & { readonly id: string | undefined }

function toIntent(
  chunk: Buffer,
  start: number,
  end: number,
  { path, position }: { readonly path: string; readonly position: number },
): FoundIntent {
  const place = { id: findId(chunk, start, end, "intent"), file: basename(path), offset: position }
  const payloadEnd = findPayloadEnd(chunk, start, end, "intent")
  const row = payloadEnd === -1 ? "" : readIntent(chunk, start, payloadEnd)
  const damage = payloadEnd === -1 ? WRONG_CHECKSUM : undefined
  return { ...place, row, damage, bytes: damage && Buffer.from(chunk.subarray(start, end)) }
}

/** A damaged intent without an id cannot be matched with its row, so it gets a key that no row has. */
function addIntent(intents: Map<string, Intent>, { id, ...intent }: FoundIntent): void {
  intents.set(id ?? `${intent.file}:${intent.offset}`, intent)
}

function separateDamaged(
  intents: ReadonlyMap<string, Intent>,
): Pick<RecoveredJournal, "orphanedIntents" | "damagedIntents"> {
  const orphanedIntents = new Map<string, string>()
  const damagedIntents: DamagedRecord[] = []
  for (const [id, { row, damage, bytes, file, offset }] of intents) {
    // Only the checksum finds all damage. A line of an earlier version has none, so it is parsed.
    const reason = damage ?? (isJson(row) ? undefined : "it is not valid JSON")
    if (reason === undefined) orphanedIntents.set(id, row)
    else damagedIntents.push({ file, offset, reason, bytes: bytes ?? Buffer.from(row) })
  }
  return { orphanedIntents, damagedIntents }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
