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
import { mkdirSync } from "node:fs"
import { createBacklog } from "./journal/backlog.ts"
import { readCursor } from "./journal/cursor.ts"
import { toIntentLine } from "./journal/lines.ts"
import { replay } from "./journal/replay.ts"
import type { Segment } from "./journal/segment.ts"
import { createSegmentWriter } from "./journal/writer.ts"
import type { AppendResult, Spool } from "./spool.ts"

const SEGMENT_BYTES = 8 << 20
const SEGMENTS_AT_LEAST = 8 // so that what is taken away, but not yet deleted, is a small part of the limit

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
  append(line: string, id?: string, overLimit?: boolean): AppendResult
  /** Keeps the promise of a row: `line` begins with `{"id":"…"` as well. Ends with `append` of that id. */
  begin(line: string, id: string): AppendResult
  /** Keeps several lines by one write: all of them, or none. */
  appendAll(entries: readonly Entry[]): AppendResult
  /** Whether the disk takes anything: writes a blank line. */
  probe(): boolean
  /** All that was kept is synced when this returns; never throws. */
  syncNow(): void
  /** What waits stays for the next process. Call it when nobody reads. */
  close(): Promise<void>
}

/** A row, or with `begins` the promise of one. */
export interface Entry {
  readonly line: string
  readonly id: string
  readonly begins: boolean
}

export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { dir, maxBytes, onError } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = await options.lock?.(dir)
  const cursor = await readCursor(dir)
  const left = await replay(dir, cursor)

  const backlog = createBacklog({ dir, segments: left.segments, onRemove: beginAgain, onError })
  const begun = new Map([...left.unended].map(([id, line]) => [id, { line, segment: 0 }]))
  const { waitingLines: replayedLines } = backlog
  let lastFailure: unknown
  let isClosed = false

  const writer = createSegmentWriter({
    dir,
    firstNumber: Math.max(cursor?.segment ?? 0, left.segments.at(-1)?.number ?? 0) + 1,
    segmentBytes: Math.min(options.segmentBytes ?? SEGMENT_BYTES, Math.ceil(maxBytes / SEGMENTS_AT_LEAST)),
    syncIntervalMs: options.syncIntervalMs,
    onSegment: backlog.add,
    onSynced: backlog.settle,
    onError,
  })

  function keep(line: string, lines: number, overLimit: boolean): AppendResult {
    if (isClosed) return "failed"
    if (!overLimit && backlog.bytes + line.length >= maxBytes) return "full"
    try {
      backlog.grew(writer.write(line, lines), lines)
      return "kept"
    } catch (error) {
      lastFailure = error
      return "failed"
    }
  }

  function append(line: string, id?: string, overLimit = false): AppendResult {
    const kept = keep(line, 1, overLimit)
    if (id !== undefined) begun.delete(id) // of a row that is not kept too: its work has ended
    return kept
  }

  function begin(line: string, id: string, overLimit = false): AppendResult {
    const segment = writer.live.number
    const kept = keep(toIntentLine(line), 0, overLimit)
    if (kept === "kept") begun.set(id, { line, segment })
    return kept
  }

  function appendAll(entries: readonly Entry[]): AppendResult {
    const segment = writer.live.number
    let text = ""
    let rows = 0
    for (const { line, begins } of entries) {
      text += `${text === "" ? "" : "\n"}${begins ? toIntentLine(line) : line}`
      if (!begins) rows++
    }
    const kept = keep(text, rows, false)
    if (kept !== "kept") return kept
    for (const { line, id, begins } of entries) {
      if (begins) begun.set(id, { line, segment })
      else begun.delete(id)
    }
    return kept
  }

  /** The begin lines of a segment that goes are written again, at the end. */
  function beginAgain({ number }: Segment): void {
    for (const [id, { line, segment }] of begun) {
      if (segment > number) break
      begun.delete(id) // to the end of the map, which is in the order of segments; gone if the disk refuses
      begin(line, id, true)
    }
  }

  async function close(): Promise<void> {
    if (isClosed) return
    isClosed = true
    await writer.close()
    await backlog.close(backlog.waitingLines === 0 && begun.size === 0)
    await lock?.release()
  }

  return {
    maxBytes,
    replayedLines,
    unended: [...left.unended.values()],
    lastWriteMs: left.lastWriteMs,
    get bytes() {
      return backlog.bytes
    },
    get waitingLines() {
      return backlog.waitingLines
    },
    get waitingBytes() {
      return backlog.waitingBytes
    },
    get lastFailure() {
      return lastFailure
    },
    append,
    appendAll,
    begin: (line, id) => begin(line, id),
    syncNow: writer.syncNow,
    probe: () => keep("", 0, true) === "kept",
    read: backlog.read,
    ack: backlog.ack,
    close,
  }
}
