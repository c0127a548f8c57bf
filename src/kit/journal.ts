/*
 * The journal: lines that must not be lost, on disk before anybody waits for them, until somebody has taken them away.
 *
 *   DIRECTORY/                 0700
 *     000000000001.jsonl       0600, segments: append only, one JSON object per line, readable with jq
 *     000000000002.jsonl       the newest is written, the oldest is read; at most one torn line, at the very end
 *     cursor.json              {"segment":1,"offset":8312}: all before it is taken away; may lag, may be missing
 *
 * Two kinds of lines:
 *
 *   {"id":"ID",…}              a row
 *   {"begin":{"id":"ID",…}}    a promise of the row with that id. A begin without its row when the journal is opened is
 *                              the trace of work that died with its process.
 *
 * A line is kept by one write(2) of the whole line, so it survives the end of this process in any way; files are
 * synced in groups, so a power cut takes at most `syncIntervalMs` of lines. A process never writes on in a segment of an earlier
 * one: what that one tore stays at the end of its file and is never read. The cursor follows lazily: lines read again
 * after a kill are for the reader to recognise by their id. A segment whose lines are all taken away is deleted, after
 * the begin lines in it that still wait for their rows have been written again.
 */
import { close as closeFd, mkdirSync, openSync, read as readBytes } from "node:fs"
import { unlink } from "node:fs/promises"
import { promisify } from "node:util"
import { readCursor, writeCursor } from "./journal/cursor.ts"
import { packRows, toBeginLine } from "./journal/lines.ts"
import { replay } from "./journal/replay.ts"
import type { Segment } from "./journal/segment.ts"
import { createSegmentWriter } from "./journal/writer.ts"
import type { Batch, Kept, Spool } from "./spool.ts"

const SEGMENT_BYTES = 8 << 20
const SEGMENTS_AT_LEAST = 8 // so that what is taken away, but not yet deleted, is a small part of the limit
const CURSOR_INTERVAL_MS = 1000

export interface JournalOptions {
  /** Made if it is not there. One process at a time: see `lock`. */
  readonly dir: string
  /** The files together; a line that would go beyond it is refused. */
  readonly maxBytes: number
  /** A segment is followed by a new one at this size. */
  readonly segmentBytes?: number
  /** Lines are synced to the disk at most so much later. */
  readonly syncIntervalMs: number
  /** Takes the directory for this process alone until `release`; rejects when another one has it. */
  lock?(dir: string): Promise<{ release(): Promise<void> }>
  /** Trouble in the background. Appending tells its own. */
  onError(error: unknown, doing: string): void
}

export interface Journal extends Spool {
  /** Size of the files. */
  readonly bytes: number
  readonly maxBytes: number
  /** The row lines of earlier processes that are not known to be taken away, at the time of opening. */
  readonly replayedLines: number
  /** Rows (as they were begun) whose work an earlier process did not end, and when that process last wrote (ms). */
  readonly unended: readonly string[]
  readonly lastWriteMs: number | undefined
  /** Why the last line was not kept, when it `failed`. */
  readonly lastFailure: unknown
  /**
   * Keeps one row: `{"id":"…",…}`, without a newline. On its way to the disk when this returns; never throws.
   * @param id of the begun row that it ends
   * @param overLimit take it although `maxBytes` are used
   */
  append(line: string, id?: string, overLimit?: boolean): Kept
  /** Keeps the promise of a row: `line` begins with `{"id":"…"` as well. Ends with `append` of that id. */
  begin(line: string, id: string): Kept
  /** Whether the disk takes anything: writes a blank line. */
  probe(): boolean
  /** What waits stays for the next process. Call it when nobody reads. */
  close(): Promise<void>
}

export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { dir, maxBytes, onError } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = await options.lock?.(dir)
  const cursor = await readCursor(dir)
  const left = await replay(dir, cursor)

  const segments: Segment[] = [...left.segments]
  const begun = new Map([...left.unended].map(([id, line]) => [id, { line, segment: 0 }]))
  let bytes = sum(segments, (segment) => segment.bytes)
  let waitingLines = sum(segments, (segment) => segment.waiting)
  let waitingBytes = sum(segments, (segment) => segment.bytes - segment.taken)
  let buffer = Buffer.alloc(0)
  let next = 0 // where the batch that was last read ends, in the oldest segment
  let lastFailure: unknown
  let isClosed = false
  let cursorTimer: NodeJS.Timeout | undefined
  let savingCursor = Promise.resolve()
  let deleting = Promise.resolve()

  const writer = createSegmentWriter({
    dir,
    firstNumber: Math.max(cursor?.segment ?? 0, segments.at(-1)?.number ?? 0) + 1,
    segmentBytes: Math.min(options.segmentBytes ?? SEGMENT_BYTES, Math.ceil(maxBytes / SEGMENTS_AT_LEAST)),
    syncIntervalMs: options.syncIntervalMs,
    onSegment: (segment) => segments.push(segment),
    onSynced: (segment) => {
      if (segment !== segments[0]) closeFile(segment) // else the reader is in it
    },
    onError,
  })

  function keep(line: string, waiting: 0 | 1, overLimit: boolean): Kept {
    if (isClosed) return "failed"
    if (!overLimit && bytes + line.length >= maxBytes) return "full"
    try {
      const written = writer.write(line, waiting)
      bytes += written
      waitingBytes += written
      waitingLines += waiting
      return "kept"
    } catch (error) {
      lastFailure = error
      return "failed"
    }
  }

  function append(line: string, id?: string, overLimit = false): Kept {
    const kept = keep(line, 1, overLimit)
    if (kept === "kept" && id !== undefined) begun.delete(id)
    return kept
  }

  function begin(line: string, id: string, overLimit = false): Kept {
    const segment = writer.live.number
    const kept = keep(toBeginLine(line), 0, overLimit)
    if (kept === "kept") begun.set(id, { line, segment })
    return kept
  }

  async function read(maxBatchBytes: number): Promise<Batch | undefined> {
    const last = writer.live.number // begin lines that are written again make new segments: those are for the next call
    let batchBytes = maxBatchBytes
    for (;;) {
      const segment = segments[0]!
      const left = segment.bytes - segment.taken
      next = segment.bytes
      if (left === 0 && segment.waiting > 0) return { ...NO_ROWS, lines: segment.waiting } // gone from the disk
      if (left === 0 && (segment === writer.live || (waitingLines === 0 && segment.number >= last))) return undefined
      if (left === 0) {
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
    for (const [id, promise] of begun) {
      if (promise.segment > segment.number) break
      begun.delete(id) // to the end of the map, which is in the order of segments; gone if the disk refuses
      begin(promise.line, id, true)
    }
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
    savingCursor = savingCursor
      .then(() => writeCursor(dir, { segment: segments[0]!.number, offset: segments[0]!.taken }))
      .catch((error) => onError(error, "writing the journal's cursor"))
  }

  async function close(): Promise<void> {
    if (isClosed) return
    isClosed = true
    clearTimeout(cursorTimer)
    await writer.close()
    saveCursor()
    if (waitingLines === 0 && begun.size === 0) for (const segment of segments) deleteFile(segment)
    for (const segment of segments) closeFile(segment)
    await Promise.all([savingCursor, deleting])
    await lock?.release()
  }

  return {
    get bytes() {
      return bytes
    },
    maxBytes,
    get waitingLines() {
      return waitingLines
    },
    get waitingBytes() {
      return waitingBytes
    },
    replayedLines: waitingLines,
    unended: [...left.unended.values()],
    lastWriteMs: left.lastWriteMs,
    get lastFailure() {
      return lastFailure
    },
    append,
    begin,
    probe: () => keep("", 0, true) === "kept",
    read,
    ack,
    close,
  }
}

const NO_ROWS = { array: undefined, starts: [], broken: [] } as const

function closeFile(segment: Segment): void {
  if (segment.fd !== undefined) closeFd(segment.fd, () => {})
  segment.fd = undefined
}

function sum(segments: readonly Segment[], size: (segment: Segment) => number): number {
  return segments.reduce((total, segment) => total + size(segment), 0)
}
