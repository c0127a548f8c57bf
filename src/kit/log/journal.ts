import { Backlog } from "./backlog.ts"
import type { AppendResult, Batch, BatchSource } from "./batch.ts"
import type { Held, JournalOptions } from "./journal-options.ts"
import { type Entry, LineWriter } from "./line-writer.ts"
import { OpenIntents } from "./open-intents.ts"
import type { FoundRows, recoverJournal } from "./recover.ts"
import type { Reserve } from "./reserve.ts"
import { SegmentWriter } from "./segment-writer.ts"

export type { Entry } from "./line-writer.ts"

export const JOURNAL_EXTENSION = ".jsonl"
const SEGMENT_BYTES = 8 << 20
const SEGMENT_AGE_MS = 3_600_000
/** With at least this many segments, a file that is acknowledged but not yet deleted is a small part of the limit. */
const MIN_SEGMENTS = 8
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
  readonly found: FoundRows
  /** The counters that earlier processes stored with `saveCounters`. */
  readonly storedCounters: Readonly<Record<string, unknown>> | undefined
  /** The error of the last append that `failed`. */
  lastFailure: unknown = undefined
  private readonly held: Held
  private readonly onFailing: (error: unknown) => void
  private readonly reserve: Reserve
  private readonly lines = new LineWriter()
  private readonly intents = new OpenIntents()
  private readonly backlog: Backlog
  private readonly writer: SegmentWriter
  private readonly segmentAgeMs: number
  /** When the live segment was opened. */
  private openedMs = 0
  private readonly onError: JournalOptions["onError"]
  private readonly firstSegment: number
  private isClosed = false

  constructor(options: JournalOptions, held: Held, recovered: Recovered) {
    const { dir, maxBytes, onError } = options
    this.maxBytes = maxBytes
    this.segmentAgeMs = options.segmentAgeMs ?? SEGMENT_AGE_MS
    this.onError = onError
    this.held = held
    this.reserve = held.reserve
    this.onFailing = options.onFailing ?? (() => {})
    this.found = recovered.found
    this.storedCounters = held.counters.stored
    this.orphanedIntents = [...recovered.orphanedIntents.values()]
    this.lastWriteMs = recovered.lastWriteMs
    this.damagedIntents = recovered.newlyDamaged
    for (const [id, line] of recovered.orphanedIntents) this.intents.open(id, line, 0)
    for (const id of recovered.settledIntents) this.intents.settleElsewhere(id, recovered.lastNumber)
    this.backlog = new Backlog({
      dir,
      segments: recovered.segments,
      counters: held.counters,
      reserve: held.reserve,
      onRemove: ({ number }) =>
        this.intents.leaveSegment(number, (line, id) => {
          if (this.appendIntent(line, id, true) !== "kept") options.onIntentLost?.(id)
        }),
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
    this.firstSegment = this.writer.rotate().number
    this.keepCounters(() => this.storedCounters ?? {})
    this.reserve.allocate(onError)
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
   * @param id of the intent that the row settles. If the row is not kept, the intent remains for the next process
   * @param overLimit whether to append beyond `maxBytes`
   */
  append(line: string, id?: string, overLimit = false): AppendResult {
    this.lines.clear()
    this.lines.add(line, false)
    const result = this.write(1, overLimit)
    if (id !== undefined && result === "kept") this.intents.settle(id)
    return result
  }

  /** Returns whether the intent of this id is kept and has no row: the next process would write one. */
  hasIntent(id: string): boolean {
    return this.intents.has(id)
  }

  /** The row of this id is elsewhere, so that its intent is not needed. The caller stores the counters. */
  settleIntent(id: string): void {
    this.intents.settleElsewhere(id)
  }

  /** From now on the counter file holds what `counts` returns, beside the positions that it belongs to. */
  keepCounters(counts: () => object): void {
    const { backlog, firstSegment } = this
    this.held.counters.content = () => ({
      ...counts(),
      cursor: backlog.cursor(),
      end: backlog.end(),
      first: firstSegment,
      settled: this.intents.settled(),
    })
  }

  /** Stores the counters before it returns, also on a full disk. Never throws. */
  saveCounters(): void {
    this.held.counters.saveSync()
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

  /** Returns whether the disk accepts writes again, after it has allocated a new reserve and a new segment. */
  probe(): boolean {
    return this.held.isHeld() && this.reserve.leave(this.writer)
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

  /** Returns how many waiting rows the files have, by reading them: something else may have changed them. */
  countOnDisk(): Promise<number> {
    return this.backlog.countOnDisk()
  }

  /**
   * Closes the files. What waits stays for the next process. Nobody may be reading.
   * @param isPending whether to keep a segment even if it has nothing, so that the directory is found to be recovered
   */
  async close(isPending = false): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    const isEmpty = !isPending && this.backlog.waitingLines === 0 && this.intents.size === 0
    await this.writer.close()
    await this.backlog.close(isEmpty)
    await this.held.counters.close()
    if (isEmpty) this.reserve.remove()
    await this.held.lock?.release()
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
    if (this.isClosed || !this.held.isHeld()) return "failed"
    if (!overLimit && this.backlog.bytes + length > this.maxBytes) return "full"
    try {
      this.writer.append(bytes, length, rows)
    } catch (error) {
      this.lastFailure = error
      this.onFailing(error)
      if (!this.reserve.append(this.writer, bytes.subarray(0, length), rows)) return "failed"
    }
    this.backlog.grew(length, rows)
    return "kept"
  }
}
