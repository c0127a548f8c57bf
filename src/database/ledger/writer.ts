import type { Batch, BatchSource } from "../../kit/log/batch.ts"
import type { Database } from "../_database.ts"
import { insertBatch } from "./batch-insert.ts"
import type { Mark } from "./insert.ts"
import type { LateListener } from "./late.ts"
import { createDeadline, createPause } from "./pause.ts"
import type { RejectedRow } from "./rejected.ts"
import { type MarkedJournal, Replay, toJournalMark } from "./replay.ts"
import type { MemorySettlement } from "./settle-memory.ts"

const MIN_BATCH_BYTES = 32 << 10

export interface WriterTiming {
  /** A row waits at most this long for others to share its statement. */
  readonly lingerMs: number
  /** A batch is sent as soon as it has this many bytes. */
  readonly batchBytes: number
  /**
   * A batch has no more bytes than this, when more wait. The rollups of many rows are written once, so a batch of 1,050 rows
   * costs the database 30 % less CPU per row than one of 330, and the lock of the rollups is held for less time per row.
   */
  readonly maxBatchBytes: number
  /** After this time, the database is considered not to answer. */
  readonly queryTimeoutMs: number
  /** After this time, `onSlow` is called, so that a log line can name the cause within 3 s. */
  readonly slowMs: number
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
}

export const WRITER_TIMING: WriterTiming = {
  lingerMs: 250,
  batchBytes: 512 << 10,
  maxBatchBytes: 2 << 20,
  queryTimeoutMs: 15_000,
  slowMs: 1_500,
  minBackoffMs: 50,
  maxBackoffMs: 2000,
}

export interface WriterOptions extends LateListener {
  readonly db: Database
  /** The first source with waiting rows is read. */
  readonly sources: readonly BatchSource[]
  /** The one of them whose progress the database records. */
  readonly journal: MarkedJournal | undefined
  /** Settles the rows that the last process had sent from its memory. Absent without a journal. */
  readonly settlement: MemorySettlement | undefined
  readonly timing: WriterTiming
  /** Stores what the rows that were read refer to. Called before each batch. */
  prepare(): Promise<void>
  /** Stores what the database rejects. Returns whether it could. Called before the batch is acknowledged. */
  reject(rows: readonly RejectedRow[]): boolean
  /** The batch is acknowledged: all of its rows are written, except those of `rest`. */
  onSettled(settled: { readonly source: BatchSource; readonly batch: Batch }, rest: UnwrittenRows, tookMs: number): void
  /** The batch is taking long. `isOver` returns whether that has ended meanwhile. */
  onSlow(isOver: () => boolean): void
  /** `rows` rows of the journal were written by an earlier process. They count as settled batches do. */
  onSkipped(rows: number): void
  /** The batch stays where it is and is sent again. */
  onFailure(error: unknown): void
}

/** The rows of a settled batch that are not in the database. */
interface UnwrittenRows {
  /** A file has them, for a person to look at. */
  readonly rejected: number
  /** Nothing has them: their file has vanished or was truncated. */
  readonly vanished: number
  /** Nothing has them: the database rejected them, and their file cannot be written. */
  readonly unstored: number
}

/** Moves rows from their sources to the database: one batch at a time, in order, each until it is settled. */
export class Writer {
  private readonly options: WriterOptions
  private readonly pause = createPause()
  private readonly replay: Replay
  private timer: NodeJS.Timeout | undefined = undefined
  private running: Promise<void> | undefined = undefined
  private readonly maxBatchBytes: number
  private batchBytes: number
  private backoffMs = 0
  /** How often the batch that begins with the oldest row has failed. */
  private failures = 0
  private isDraining = false
  private isClosed = false
  /** The sources belong to another writer from now on. */
  private isAbandoned = false

  constructor(options: WriterOptions) {
    this.options = options
    const { db, journal, timing, onSkipped } = options
    // The embedded database answers nothing else while it writes a batch.
    this.maxBatchBytes = db.kind === "embedded" ? timing.batchBytes : timing.maxBatchBytes
    this.batchBytes = this.maxBatchBytes
    this.replay = new Replay({ db, journal, timeoutMs: timing.queryTimeoutMs, onSkipped })
  }

  /** Something was appended. Cheap. */
  wake(): void {
    if (this.running !== undefined || this.isClosed) return
    if (this.isBatchFull()) this.start()
    else this.timer ??= setTimeout(() => this.start(), this.options.timing.lingerMs)
  }

  /** Writes without lingering until nothing waits, or for `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    this.isDraining = true
    this.pause.end()
    const deadline = createDeadline(deadlineMs)
    while (!this.isClosed && this.hasWork()) {
      this.start()
      if (!(await deadline.settles(this.running))) break
    }
    deadline.clear()
    this.isDraining = false
  }

  /** Sends no further batch. Waits for the running one, but at most `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.isClosed = true
    clearTimeout(this.timer)
    this.pause.end()
    if (this.running === undefined) return
    const deadline = createDeadline(timeoutMs)
    await deadline.settles(this.running)
    deadline.clear()
    this.isAbandoned = true
  }

  private findWaiting(): BatchSource | undefined {
    return this.options.sources.find((source) => source.waitingLines > 0)
  }

  private hasWork(): boolean {
    return this.findWaiting() !== undefined || this.options.settlement?.unsettled !== undefined
  }

  private isBatchFull(): boolean {
    return this.options.sources.some((source) => source.waitingBytes >= this.options.timing.batchBytes)
  }

  private start(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.running ??= this.run().finally(() => {
      this.running = undefined
      if (this.hasWork()) this.wake()
    })
  }

  private async run(): Promise<void> {
    const { timing, onFailure } = this.options
    do {
      if (!this.hasWork()) return
      try {
        await this.writeOne()
        this.backoffMs = 0
        this.failures = 0
        this.batchBytes = Math.min(this.batchBytes * 2, this.maxBatchBytes)
      } catch (error) {
        if (this.isClosed) return
        onFailure(error)
        this.failures++
        this.batchBytes = Math.max(this.batchBytes / 2, MIN_BATCH_BYTES) // a smaller batch may pass a slow link in time
        this.backoffMs = Math.min(Math.max(this.backoffMs * 2, timing.minBackoffMs), timing.maxBackoffMs)
        // Jitter, so that several gateways do not return at the same moment.
        await this.pause.wait(this.backoffMs * (0.5 + Math.random() / 2))
      }
    } while (!this.isClosed && (this.isDraining || this.backoffMs > 0 || this.isBatchFull()))
  }

  private async writeOne(): Promise<void> {
    const { reject, onSettled, settlement } = this.options
    if (settlement?.unsettled !== undefined) await settlement.settle()
    const source = this.findWaiting()
    if (source === undefined) return
    const batch = await source.read(this.batchBytes)
    if (batch === undefined) throw new Error("rows wait, but none can be read")
    const startedAt = performance.now()
    const written = await this.replay.countWritten(source, batch)
    const markAt = await this.prepareMarks(source, batch)
    if (this.isAbandoned) return
    const rejected = await this.insert(batch, written, markAt)
    if (this.isAbandoned) return
    const unstored = rejected.length === 0 || reject(rejected) ? 0 : rejected.length
    source.ack(batch)
    this.replay.settle(source, batch, written)
    const damaged = batch.damaged.reduce((sum, { records = 1 }) => sum + records, 0)
    const vanished = batch.lines - batch.starts.length - damaged
    const rest = { rejected: rejected.length - unstored + damaged, vanished, unstored }
    onSettled({ source, batch }, rest, performance.now() - startedAt)
  }

  private async prepareMarks(source: BatchSource, batch: Batch): Promise<(to: number) => Mark | undefined> {
    const { journal, settlement } = this.options
    if (settlement?.isSourceOf(source)) return settlement.prepare(batch)
    return source === journal?.source ? (to) => toJournalMark(journal, batch, to) : () => undefined
  }

  /** @param from rows before this one are in the database already */
  private async insert(
    batch: Batch,
    from: number,
    markAt: (to: number) => Mark | undefined,
  ): Promise<readonly RejectedRow[]> {
    const { db, timing, prepare, onSlow, onLate } = this.options
    let isOver = false
    const timer = setTimeout(() => onSlow(() => isOver), timing.slowMs)
    try {
      await prepare()
      return await insertBatch(db, batch, {
        timeoutMs: timing.queryTimeoutMs,
        failures: this.failures,
        from,
        markAt,
        onLate,
      })
    } finally {
      isOver = true
      clearTimeout(timer)
    }
  }
}
