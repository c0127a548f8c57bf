import { close, openSync, read as readBytes } from "node:fs"
import { rename, unlink } from "node:fs/promises"
import { basename } from "node:path"
import { promisify } from "node:util"
import type { Batch, BatchSource } from "./batch.ts"
import type { CounterFile } from "./counter-file.ts"
import { setAside } from "./damaged.ts"
import { packRows } from "./pack-rows.ts"
import type { Position } from "./position.ts"
import type { Reserve } from "./reserve.ts"
import { countRows, holdsRow } from "./scan.ts"
import { type Segment, UNREADABLE_EXTENSION } from "./segment.ts"

/** After this many attempts in a row, the rest of a file that cannot be read is skipped. */
const READ_ATTEMPTS = 3

interface BacklogOptions {
  readonly dir: string
  /** The segments of earlier processes, oldest first. */
  readonly segments: readonly Segment[]
  /** Stores the cursor, and numbers that belong to it. */
  readonly counters: CounterFile
  /** Gets its files back when their rows are acknowledged. */
  readonly reserve: Reserve
  /** All rows of this segment are acknowledged, and its file is about to be deleted. */
  onRemove(segment: Segment): void
  onDamaged(sentence: string): void
  onError(error: unknown, doing: string): void
}

/** The segments of a journal, oldest first, the last one being written: what waits in them, and the reading of it. */
export class Backlog implements BatchSource {
  /** The size of all files together. */
  bytes: number
  waitingLines: number
  waitingBytes: number
  private readonly options: BacklogOptions
  private readonly segments: Segment[]
  /** Reused by each batch. */
  private buffer = Buffer.alloc(0)
  /** Where the batch that was last read ends, in the oldest segment. */
  private batchEnd = 0
  /** Why the last reads of the oldest segment failed. */
  private readFailures: unknown[] = []
  private deleting: Promise<unknown> = Promise.resolve()

  constructor(options: BacklogOptions) {
    this.options = options
    this.segments = [...options.segments]
    this.bytes = sum(this.segments, (segment) => segment.bytes)
    this.waitingLines = sum(this.segments, (segment) => segment.waiting)
    this.waitingBytes = sum(this.segments, (segment) => segment.bytes - segment.consumed)
  }

  /** The reader has acknowledged everything before this position. */
  cursor(): Position {
    const { number, consumed } = this.segments[0]!
    return { segment: number, offset: consumed }
  }

  /** Everything that is kept stands before this position. */
  end(): Position {
    const { number, bytes } = this.segments.at(-1)!
    return { segment: number, offset: bytes }
  }

  /** A new segment is the live one. */
  add(live: Segment): void {
    this.segments.push(live)
  }

  /** The live segment has grown. */
  grew(bytes: number, lines: number): void {
    this.bytes += bytes
    this.waitingBytes += bytes
    this.waitingLines += lines
  }

  /** The segment gets no more lines. */
  seal(segment: Segment): void {
    if (segment !== this.segments[0]) closeFile(segment) // the oldest may be read at this moment
  }

  /** Returns whether a waiting row has this id. Damaged rows do not count. */
  async holdsRow(id: string): Promise<boolean> {
    for (const { path, consumed, waiting } of [...this.segments]) {
      if (waiting > 0 && (await holdsRow(path, consumed, id))) return true
    }
    return false
  }

  /** Returns how many waiting lines the files have, by their paths. */
  async countOnDisk(): Promise<number> {
    let count = 0
    for (const { path, consumed, waiting } of [...this.segments]) {
      if (waiting > 0) count += (await countRows(path, consumed)) ?? waiting
    }
    return count
  }

  async read(maxBatchBytes: number): Promise<Batch | undefined> {
    // Removing a segment may write to a new one. That one is for the next call, or this one might never end.
    const last = this.segments.at(-1)!.number
    let batchBytes = maxBatchBytes
    for (;;) {
      const segment = this.segments[0]!
      const unread = segment.bytes - segment.consumed
      this.batchEnd = segment.bytes
      if (unread === 0) {
        if (segment.waiting > 0) return this.toUnreadBatch(segment)
        const isLast = this.segments.length === 1 || (this.waitingLines === 0 && segment.number >= last)
        if (isLast) return undefined
        this.removeOldest(segment)
        continue
      }
      // The live segment was written by this process a moment ago: its checksums are checked when it is read later.
      const length = await this.fill(segment, Math.min(unread, batchBytes))
      if (segment.isUnreadable && length === 0) return this.toUnreadBatch(segment)
      const { consumed, ...packed } = packRows(this.buffer, 1, 1 + length, segment === this.segments.at(-1))
      if (consumed > 0) this.batchEnd = segment.consumed + consumed
      const batch = toBatch(segment, packed)
      if (batch.lines > 0) return batch
      if (consumed > 0 || batchBytes >= unread) this.ack(batch)
      else batchBytes *= 2 // one line is longer than the batch
    }
  }

  ack({ lines, damaged }: Batch): void {
    const segment = this.segments[0]!
    if (damaged.length > 0) this.options.onDamaged(setAside(this.options.dir, damaged))
    this.waitingBytes -= this.batchEnd - segment.consumed
    this.waitingLines -= lines
    segment.waiting -= lines
    segment.consumed = this.batchEnd
    this.options.counters.schedule()
  }

  /**
   * Closes the files. A newest one without a line is deleted, because each start that fails would leave another one.
   * @param clear whether to delete all files, because nothing in them is needed any more
   */
  async close(clear: boolean): Promise<void> {
    const newest = this.segments.length > 1 ? this.segments.at(-1) : undefined
    for (const segment of this.segments) {
      closeFile(segment)
      if (clear || (segment === newest && segment.bytes === 0)) this.deleteFile(segment)
    }
    await this.deleting
  }

  /**
   * Reads into `buffer`, from its second byte. Returns how many bytes it read: 0 when the file has vanished, or cannot be
   * read. Throws at first when it cannot be read.
   */
  private async fill(segment: Segment, length: number): Promise<number> {
    if (this.buffer.length < length + 1) this.buffer = Buffer.allocUnsafeSlow(length + 1)
    try {
      segment.fd ??= openSync(segment.path, "r")
      const { bytesRead } = await promisify(readBytes)(segment.fd, this.buffer, 1, length, segment.consumed)
      this.readFailures = []
      return bytesRead
    } catch (error) {
      const hasVanished = (error as NodeJS.ErrnoException).code === "ENOENT"
      this.readFailures.push(error)
      if (!hasVanished && this.readFailures.length < READ_ATTEMPTS) {
        throw new Error(`the journal file ${segment.path} cannot be read`, { cause: error })
      }
      if (hasVanished) this.options.onError(error, `reading a journal file with ${segment.waiting} waiting rows`)
      else segment.isUnreadable = true
      return 0
    }
  }

  /** Returns the batch that gives up the waiting rows of a segment that has vanished or cannot be read. */
  private toUnreadBatch(segment: Segment): Batch {
    const failure = this.readFailures.at(-1) as NodeJS.ErrnoException | undefined
    this.readFailures = []
    if (failure === undefined) {
      const error = new Error(`${segment.waiting} rows are not in the file any more: another program has changed it`)
      this.options.onError(error, `reading ${segment.path}`)
    }
    const name = basename(segment.path)
    const reason = `it cannot be read (${failure?.code ?? "unknown error"}); it is kept as ${name}${UNREADABLE_EXTENSION}`
    const rest = { file: name, offset: segment.consumed, reason, bytes: Buffer.alloc(0), records: segment.waiting }
    return { array: undefined, starts: [], damaged: segment.isUnreadable ? [rest] : [], lines: segment.waiting }
  }

  private removeOldest(segment: Segment): void {
    this.options.onRemove(segment)
    this.segments.shift()
    this.bytes -= segment.bytes
    closeFile(segment)
    this.deleteFile(segment)
  }

  /** The cursor is stored first: a file that is gone before the cursor has passed it would count as lost. */
  private deleteFile(segment: Segment): void {
    const { path, isUnreadable } = segment
    const remove = () => {
      if (isUnreadable) return rename(path, `${path}${UNREADABLE_EXTENSION}`)
      return this.options.reserve.recover(segment) ? undefined : unlink(path)
    }
    this.deleting = this.deleting
      .then(() => this.options.counters.save())
      .then(remove)
      .catch((error) => {
        if (error.code !== "ENOENT") this.options.onError(error, "deleting a journal file whose rows are written")
      })
  }
}

function toBatch(segment: Segment, packed: Omit<ReturnType<typeof packRows>, "consumed">): Batch {
  const file = basename(segment.path)
  const damaged = packed.damaged.map((line) => ({ ...line, file, offset: segment.consumed + line.offset }))
  return { array: packed.array, starts: packed.starts, lines: packed.starts.length + damaged.length, damaged }
}

function closeFile(segment: Segment): void {
  if (segment.fd !== undefined) close(segment.fd, () => {})
  segment.fd = undefined
}

function sum(segments: readonly Segment[], size: (segment: Segment) => number): number {
  return segments.reduce((total, segment) => total + size(segment), 0)
}
