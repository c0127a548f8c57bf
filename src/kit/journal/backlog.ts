import { close, openSync, read as readBytes } from "node:fs"
import { unlink } from "node:fs/promises"
import { promisify } from "node:util"
import type { Batch, Spool } from "../spool.ts"
import { writeCursor } from "./cursor.ts"
import { packRows } from "./lines.ts"
import type { Segment } from "./segment.ts"

const CURSOR_INTERVAL_MS = 1000
const NO_ROWS = { array: undefined, starts: [], broken: [] } as const

/** The segments, oldest first, the last one being written; what of them waits, and the taking of it. */
export interface Backlog extends Spool {
  /** Of the files together. */
  readonly bytes: number
  add(live: Segment): void
  /** The live segment has grown. */
  grew(bytes: number, lines: number): void
  /** The segment is written no more. */
  settle(segment: Segment): void
  /** @param clear delete the files: nothing in them is needed any more */
  close(clear: boolean): Promise<void>
}

export interface BacklogOptions {
  readonly dir: string
  /** What earlier processes left. */
  readonly segments: readonly Segment[]
  /** All lines of this segment are taken away, and its file is about to go. */
  onRemove(segment: Segment): void
  onError(error: unknown, doing: string): void
}

export function createBacklog({ dir, segments: left, onRemove, onError }: BacklogOptions): Backlog {
  const segments = [...left]
  let bytes = sum(left, (segment) => segment.bytes)
  let waitingLines = sum(left, (segment) => segment.waiting)
  let waitingBytes = sum(left, (segment) => segment.bytes - segment.taken)
  let buffer = Buffer.alloc(0)
  let next = 0 // where the batch that was last read ends, in the oldest segment
  let cursorTimer: NodeJS.Timeout | undefined
  let saving = Promise.resolve()
  let deleting = Promise.resolve()

  async function read(maxBatchBytes: number): Promise<Batch | undefined> {
    const last = segments.at(-1)!.number // removing may write, and so make new segments: those are for the next call
    let batchBytes = maxBatchBytes
    for (;;) {
      const segment = segments[0]!
      const left = segment.bytes - segment.taken
      next = segment.bytes
      if (left === 0) {
        if (segment.waiting > 0) return { ...NO_ROWS, lines: segment.waiting } // gone from the disk
        if (segments.length === 1 || (waitingLines === 0 && segment.number >= last)) return undefined
        removeOldest(segment)
        continue
      }
      const length = await fill(segment, Math.min(left, batchBytes)) // which may replace the buffer
      const { consumed, ...batch } = packRows(buffer, 1, 1 + length)
      if (consumed > 0) next = segment.taken + consumed
      if (batch.lines > 0) return batch
      if (consumed > 0 || batchBytes >= left) ack(batch)
      else batchBytes *= 2 // one line is longer than the batch
    }
  }

  /** Reads what is next into `buffer`, from its second byte; returns how many bytes: 0 when the file has vanished. */
  async function fill(segment: Segment, length: number): Promise<number> {
    if (buffer.length < length + 1) buffer = Buffer.allocUnsafeSlow(length + 1)
    try {
      segment.fd ??= openSync(segment.path, "r")
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
      onError(error, `reading a journal file of ${segment.waiting} waiting rows`)
      return 0
    }
    return (await promisify(readBytes)(segment.fd, buffer, 1, length, segment.taken)).bytesRead
  }

  function ack({ lines }: Batch): void {
    const segment = segments[0]!
    waitingBytes -= next - segment.taken
    waitingLines -= lines
    segment.waiting -= lines
    segment.taken = next
    cursorTimer ??= setTimeout(saveCursor, CURSOR_INTERVAL_MS).unref()
  }

  function removeOldest(segment: Segment): void {
    onRemove(segment)
    segments.shift()
    bytes -= segment.bytes
    closeFile(segment)
    deleteFile(segment)
  }

  function deleteFile({ path }: Segment): void {
    deleting = deleting
      .then(() => unlink(path))
      .catch((error) => {
        if (error.code !== "ENOENT") onError(error, "deleting a journal file whose rows are taken away")
      })
  }

  function saveCursor(): void {
    cursorTimer = undefined
    const { number, taken } = segments[0]!
    saving = saving
      .then(() => writeCursor(dir, { segment: number, offset: taken }))
      .catch((error) => onError(error, "writing the journal's cursor"))
  }

  return {
    get bytes() {
      return bytes
    },
    get waitingLines() {
      return waitingLines
    },
    get waitingBytes() {
      return waitingBytes
    },
    add: (live) => void segments.push(live),
    grew(moreBytes, moreLines) {
      bytes += moreBytes
      waitingBytes += moreBytes
      waitingLines += moreLines
    },
    settle(segment) {
      if (segment !== segments[0]) closeFile(segment) // else it may be read just now
    },
    read,
    ack,
    async close(clear) {
      clearTimeout(cursorTimer)
      saveCursor()
      for (const segment of segments) {
        closeFile(segment)
        if (clear) deleteFile(segment)
      }
      await Promise.all([saving, deleting])
    },
  }
}

function closeFile(segment: Segment): void {
  if (segment.fd !== undefined) close(segment.fd, () => {})
  segment.fd = undefined
}

function sum(segments: readonly Segment[], size: (segment: Segment) => number): number {
  return segments.reduce((total, segment) => total + size(segment), 0)
}
