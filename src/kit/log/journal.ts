/*
 * The journal: rows that must not be lost. Each is on the disk when appending it returns, and stays there until its
 * reader has acknowledged it.
 *
 *   DIRECTORY/                 0700
 *     000000000001.jsonl       0600: segments, append only, one JSON object per line, readable with jq
 *     000000000002.jsonl       the newest is written, the oldest is read; at most one torn line, at the very end
 *     cursor.json              {"segment":1,"offset":8312}: all before it is acknowledged; may lag, may be missing
 *     damaged.jsonl            lines that the disk has damaged
 *
 * There are two kinds of lines. Both end with the checksum of the bytes before it (checksum.ts).
 *
 *   {"id":"ID",…,"crc":"1c291ca3"}              a row
 *   {"begin":{"id":"ID",…,"crc":"1c291ca3"}}    the intent to append the row with that id
 *
 * An intent without its row, when the journal is opened, is what remains of work whose process died.
 *
 * One write(2) stores a whole line, so the line survives the end of this process in any way. Files are synced in
 * groups, so a power cut loses at most `syncIntervalMs` of lines. A process never appends to a segment of an earlier
 * one: a line that the earlier one tore stays at the end of its file and is never read. The cursor is written from time
 * to time, so after a kill the reader gets some lines twice and recognizes them by their id. A segment whose lines are
 * all acknowledged is deleted when later lines are read, after its open intents have been appended again.
 */
import { mkdirSync } from "node:fs"
import { Backlog } from "./backlog.ts"
import type { AppendResult, Batch, BatchSource } from "./batch.ts"
import { readCursor } from "./cursor.ts"
import { setAside } from "./damaged.ts"
import { type Entry, LineWriter } from "./line-writer.ts"
import { OpenIntents } from "./open-intents.ts"
import { recoverJournal } from "./recover.ts"
import { SegmentWriter } from "./segment-writer.ts"

export type { Entry } from "./line-writer.ts"

export const JOURNAL_EXTENSION = ".jsonl"
const SEGMENT_BYTES = 8 << 20
const SEGMENT_AGE_MS = 3_600_000
/** With at least this many segments, a file that is acknowledged but not yet deleted is a small part of the limit. */
const MIN_SEGMENTS = 8

export interface JournalOptions {
  /** Created when it does not exist. Only one process may use it at a time: see `lock`. */
  readonly dir: string
  /** Limit on the size of all files; a line beyond it is rejected. */
  readonly maxBytes: number
  /** A segment of this size is followed by a new one. */
  readonly segmentBytes?: number
  /** A segment of this age is followed by a new one as well, so that acknowledged lines do not stay for months. */
  readonly segmentAgeMs?: number
  /** Lines are synced to the disk at most this much later. */
  readonly syncIntervalMs: number
  /** Claims the directory for this process until `release`; rejects when another process has it. */
  lock?(dir: string): Promise<{ release(): Promise<void> }>
  /** Damaged lines were set aside. `sentence` says which and where. */
  onDamaged(sentence: string): void
  /** Something failed in the background. Appending reports its own failures. */
  onError(error: unknown, doing: string): void
}

/** Opens the journal of a directory and recovers what earlier processes left in it. */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { dir } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = await options.lock?.(dir)
  try {
    const cursor = await readCursor(dir)
    const recovered = await recoverJournal(dir, JOURNAL_EXTENSION, cursor)
    if (recovered.damagedIntents.length > 0) options.onDamaged(setAside(dir, recovered.damagedIntents))
    const lastNumber = Math.max(cursor?.segment ?? 0, recovered.segments.at(-1)?.number ?? 0)
    return new Journal(options, lock, { ...recovered, lastNumber })
  } catch (error) {
    await lock?.release()
    throw error
  }
}

type Recovered = Awaited<ReturnType<typeof recoverJournal>> & { readonly lastNumber: number }

/** An open journal. A class without closures, because every request passes it. */
export class Journal implements BatchSource {
  readonly maxBytes: number
  /** Rows of earlier processes that were not known to be acknowledged when the journal was opened. */
  readonly recoveredLines: number
  /** Intents of earlier processes without a row, as JSON, and when those processes last wrote (ms since the epoch). */
  readonly orphanedIntents: readonly string[]
  readonly lastWriteMs: number | undefined
  /** Intents of earlier processes that cannot be read any more, and whose rows are not there either. */
  readonly damagedIntents: number
  /** The error of the last append that `failed`. */
  lastFailure: unknown = undefined
  private readonly lock: { release(): Promise<void> } | undefined
  private readonly lines = new LineWriter()
  private readonly intents = new OpenIntents()
  private readonly backlog: Backlog
  private readonly writer: SegmentWriter
  private readonly segmentAgeMs: number
  /** When the live segment was opened. */
  private openedMs = 0
  private readonly onError: JournalOptions["onError"]
  private isClosed = false

  constructor(options: JournalOptions, lock: { release(): Promise<void> } | undefined, recovered: Recovered) {
    const { dir, maxBytes, onError } = options
    this.maxBytes = maxBytes
    this.segmentAgeMs = options.segmentAgeMs ?? SEGMENT_AGE_MS
    this.onError = onError
    this.lock = lock
    this.orphanedIntents = [...recovered.orphanedIntents.values()]
    this.lastWriteMs = recovered.lastWriteMs
    this.damagedIntents = recovered.damagedIntents.length
    for (const [id, line] of recovered.orphanedIntents) this.intents.open(id, line, 0)
    this.backlog = new Backlog({
      dir,
      segments: recovered.segments,
      onRemove: ({ number }) => this.intents.leaveSegment(number, (line, id) => this.appendIntent(line, id, true)),
      onDamaged: options.onDamaged,
      onError,
    })
    this.recoveredLines = this.backlog.waitingLines
    this.writer = new SegmentWriter({
      dir,
      extension: JOURNAL_EXTENSION,
      name: "journal",
      lastNumber: recovered.lastNumber,
      segmentBytes: Math.min(options.segmentBytes ?? SEGMENT_BYTES, Math.ceil(maxBytes / MIN_SEGMENTS)),
      syncIntervalMs: options.syncIntervalMs,
      onOpened: (segment) => {
        this.openedMs = performance.now()
        this.backlog.add(segment)
      },
      onSealed: (segment) => this.backlog.seal(segment),
      onError,
    })
    // Last, so that a directory that cannot be used leaves no segment behind; and now, so that it is found at once.
    this.writer.rotate()
  }

  /** Size of the files. */
  get bytes(): number {
    return this.backlog.bytes
  }

  get waitingLines(): number {
    return this.backlog.waitingLines
  }

  get waitingBytes(): number {
    return this.backlog.waitingBytes
  }

  /**
   * Appends one row: `{"id":"…",…}`, without a newline. Its write has been issued when this returns. Never throws.
   * @param id of the intent that the row settles, also when the row is not kept, because the work has ended
   * @param overLimit whether to append beyond `maxBytes`
   */
  append(line: string, id?: string, overLimit = false): AppendResult {
    this.lines.clear()
    this.lines.add(line, false)
    const result = this.write(1, overLimit)
    if (id !== undefined) this.intents.settle(id)
    return result
  }

  /** Appends the intent to append the row of `id`, with what is known of the row: `{"id":"…",…}`. */
  appendIntent(line: string, id: string, overLimit = false): AppendResult {
    this.lines.clear()
    this.lines.add(line, true)
    const result = this.write(0, overLimit)
    if (result === "kept") this.intents.open(id, line, this.writer.live!.number)
    return result
  }

  /** Appends several lines with one write: all of them or none. */
  appendAll(entries: readonly Entry[]): AppendResult {
    this.lines.clear()
    let rows = 0
    for (const { line, isIntent } of entries) {
      this.lines.add(line, isIntent)
      if (!isIntent) rows++
    }
    const result = this.write(rows, false)
    if (result !== "kept") return result
    for (const { line, id, isIntent } of entries) {
      if (isIntent) this.intents.open(id, line, this.writer.live!.number)
      else this.intents.settle(id)
    }
    return result
  }

  /** Returns whether the disk accepts writes. It appends a blank line. */
  probe(): boolean {
    this.lines.clear()
    this.lines.addBlank()
    return this.write(0, true) === "kept"
  }

  /** Syncs everything that was kept, and blocks until that is done. Never throws. */
  flushSync(): void {
    this.writer.flushSync()
  }

  /** Returns whether a waiting row has this id. */
  holdsRow(id: string): Promise<boolean> {
    return this.backlog.holdsRow(id)
  }

  read(maxBytes: number): Promise<Batch | undefined> {
    return this.backlog.read(maxBytes)
  }

  ack(batch: Batch): void {
    this.backlog.ack(batch)
    if (performance.now() - this.openedMs >= this.segmentAgeMs) this.rotateOld()
  }

  /** Closes the files. What waits stays for the next process. Nobody may be reading. */
  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    await this.writer.close()
    await this.backlog.close(this.backlog.waitingLines === 0 && this.intents.size === 0)
    await this.lock?.release()
  }

  private rotateOld(): void {
    this.openedMs = performance.now() // the next attempt is as far away when this one fails
    if (this.isClosed || this.writer.live?.bytes === 0) return
    try {
      this.writer.rotate()
    } catch (error) {
      this.onError(error, "opening a new journal segment")
    }
  }

  private write(rows: number, overLimit: boolean): AppendResult {
    const { bytes, length } = this.lines
    if (this.isClosed) return "failed"
    if (!overLimit && this.backlog.bytes + length > this.maxBytes) return "full"
    try {
      this.writer.append(bytes, length, rows)
    } catch (error) {
      this.lastFailure = error
      return "failed"
    }
    this.backlog.grew(length, rows)
    return "kept"
  }
}
