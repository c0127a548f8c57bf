import { type FileHandle, open, readdir } from "node:fs/promises"
import { join } from "node:path"
import type { Position } from "./cursor.ts"
import { findId, forEachLine, fromIntentLine, kindOfLine } from "./lines.ts"
import { numberOfSegment, type Segment } from "./segment.ts"

const CHUNK_BYTES = 1 << 20

/** What an earlier process left behind. */
export interface Replay {
  /** Oldest first. */
  readonly segments: readonly Segment[]
  /** Begun work without an end: its row by its id, oldest first. */
  readonly unended: ReadonlyMap<string, string>
  /** When a segment was last written, ms since the epoch: about when that process ended. */
  readonly lastWriteMs: number | undefined
}

/** Reads every segment once. The cursor is believed only where it points at the beginning of a line. */
export async function replay(dir: string, cursor: Position | undefined): Promise<Replay> {
  const names = (await readdir(dir)).filter((name) => numberOfSegment(name) !== undefined).sort()
  const unended = new Map<string, string>()
  const segments: Segment[] = []
  let lastWriteMs: number | undefined
  for (const name of names) {
    const number = numberOfSegment(name)!
    const path = join(dir, name)
    const scan = await scanSegment(path, number === cursor?.segment ? cursor.offset : 0, unended)
    if (scan.bytes > 0) lastWriteMs = Math.max(lastWriteMs ?? 0, scan.writtenMs)
    const found = number === cursor?.segment && scan.foundOffset
    if (found) for (const earlier of segments) Object.assign(earlier, { taken: earlier.bytes, waiting: 0 })
    const taken = found ? cursor.offset : 0
    const waiting = found ? scan.linesAfter : scan.lines
    segments.push({ number, path, bytes: scan.bytes, taken, waiting, fd: undefined })
  }
  return { segments, unended, lastWriteMs }
}

interface Scan {
  readonly bytes: number
  readonly lines: number
  /** Lines that begin at or after the offset that was asked about. */
  readonly linesAfter: number
  /** That offset is the beginning of a line, or the end of the last one. */
  readonly foundOffset: boolean
  readonly writtenMs: number
}

async function scanSegment(path: string, offset: number, unended: Map<string, string>): Promise<Scan> {
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
      const id = kind === "broken" ? undefined : findId(chunk, start, end, kind)
      if (kind === "begin") {
        if (id !== undefined) unended.set(id, fromIntentLine(chunk, start, end))
        return
      }
      if (id !== undefined) unended.delete(id)
      lines++
      if (position >= offset) linesAfter++
    })
    return { bytes, lines, linesAfter, foundOffset, writtenMs: mtimeMs }
  } finally {
    await file.close()
  }
}

/** Visits the whole lines of a file with their position in it; returns where its torn rest, if any, begins. */
async function forEachLineOf(
  file: FileHandle,
  visit: (chunk: Buffer, start: number, end: number, position: number) => void,
): Promise<number> {
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  let position = 0
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
    const whole = forEachLine(chunk, 0, bytesRead, (start, end) => visit(chunk, start, end, position + start))
    position += whole
    if (bytesRead < chunk.length) return position
    if (whole === 0) chunk = Buffer.allocUnsafe(chunk.length * 2) // a line longer than the chunk
  }
}
