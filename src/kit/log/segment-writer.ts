import { fdatasync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, writeSync, writevSync } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { type Segment, toSegmentName } from "./segment.ts"

interface SegmentWriterOptions {
  /** Created when it does not exist, also later. */
  readonly dir: string
  /** The extension of the files, such as `.jsonl`. */
  readonly extension: string
  /** The name of the log in error messages. */
  readonly name: string
  /** The highest number that a file in `dir` has, 0 for none. */
  readonly lastNumber: number
  /** A segment of this size is followed by a new one. */
  readonly segmentBytes: number
  /** Records are synced to the disk at most this much later. */
  readonly syncIntervalMs: number
  /** The segment is the live one from now on. */
  onOpened(segment: Segment): void
  /** The segment gets no more records, and its bytes are synced. Its file is still open. */
  onSealed(segment: Segment): void
  onError(error: unknown, doing: string): void
}

/**
 * Appends records to the newest segment of a log. One system call stores a record whole, so it survives the end of the
 * process; a record that is stored in part is removed again. A class without closures, because every request passes it.
 */
export class SegmentWriter {
  /** Records are appended to this one. There is none before the first record and after `seal`. */
  live: Segment | undefined = undefined
  private readonly options: SegmentWriterOptions
  private lastNumber: number
  /** The length of the record that the last write stored in part, or not at all. 0: there is none. */
  private tornBytes = 0
  private syncTimer: NodeJS.Timeout | undefined = undefined
  private syncing: Promise<void> = Promise.resolve()

  constructor(options: SegmentWriterOptions) {
    this.options = options
    this.lastNumber = options.lastNumber
  }

  /**
   * Appends the first `length` bytes of `bytes`, which are `records` records.
   * @returns the segment that has them
   * @throws the error of the disk; the record then leaves no trace
   */
  append(bytes: Buffer, length: number, records: number): Segment {
    const segment = this.prepare()
    this.tornBytes = length
    if (segment.room !== undefined && segment.bytes + length > segment.room) {
      throw Object.assign(new Error("the disk is full, and so is the reserve"), { code: "ENOSPC" })
    }
    // The reader expects the record at its offset, also if another program has truncated the file.
    this.complete(segment, writeSync(segment.fd!, bytes, 0, length, segment.bytes), length, records)
    return segment
  }

  /** Appends one record that is in pieces of `length` bytes together, without copying them. Otherwise as `append`. */
  appendPieces(pieces: readonly Buffer[], length: number): Segment {
    const segment = this.prepare()
    this.tornBytes = length
    this.complete(segment, writevSync(segment.fd!, pieces, segment.bytes), length, 1)
    return segment
  }

  /** Returns a number that no file in the directory has. */
  takeNumber(): number {
    this.lastNumber++
    return this.lastNumber
  }

  /** Opens a new segment; the live one is sealed. @throws the error of the disk; the live one then stays */
  rotate(): Segment {
    return this.replaceLive(this.openSegment())
  }

  /**
   * Continues in a segment of `room` bytes that exists already and is written in place. `open` makes it the file with the
   * given path. @throws its error; the live segment then stays
   */
  rotateTo(open: (path: string) => number, room: number): Segment {
    const { number, path } = this.nameNext()
    return this.replaceLive({ number, path, bytes: 0, consumed: 0, waiting: 0, fd: open(path), room })
  }

  /** Ends the live segment. The next record opens a new one. */
  seal(): void {
    const sealed = this.live
    if (sealed === undefined) return
    this.live = undefined
    this.track(this.sync(sealed).finally(() => this.options.onSealed(sealed)))
  }

  /** Syncs the live segment and blocks until that is done. Never throws. */
  flushSync(): void {
    if (this.live === undefined) return
    try {
      fdatasyncSync(this.live.fd!)
    } catch (error) {
      this.options.onError(error, `syncing the ${this.options.name}`)
    }
  }

  /** Waits until everything is synced. The live segment stays open. */
  async close(): Promise<void> {
    clearTimeout(this.syncTimer)
    if (this.live !== undefined) this.track(this.sync(this.live))
    await this.syncing
  }

  private prepare(): Segment {
    const { live } = this
    if (live === undefined) return this.rotate()
    if (this.tornBytes > 0) this.removeTornRecord(live)
    if (live.room === undefined && live.bytes >= this.options.segmentBytes) this.tryRotate()
    return this.live!
  }

  private complete(segment: Segment, written: number, length: number, records: number): void {
    if (written !== length) {
      const message = `only ${written} of ${length} bytes were written: the disk is full`
      throw Object.assign(new Error(message), { code: "ENOSPC" })
    }
    this.tornBytes = 0
    segment.bytes += length
    segment.waiting += records
    this.syncTimer ??= setTimeout(() => this.syncLive(), this.options.syncIntervalMs).unref()
  }

  /**
   * Removes what a failed write left; where that fails too, it stays at the end of a segment that gets no more records.
   */
  private removeTornRecord(live: Segment): void {
    if (live.room !== undefined) {
      const length = Math.min(this.tornBytes, live.room - live.bytes)
      if (length > 0) writeSync(live.fd!, Buffer.alloc(length), 0, length, live.bytes)
      this.tornBytes = 0
      return
    }
    try {
      ftruncateSync(live.fd!, live.bytes)
      this.tornBytes = 0
    } catch {
      this.rotate()
    }
  }

  /** A segment that grows beyond its size is better than a record that is lost. */
  private tryRotate(): void {
    try {
      this.rotate()
    } catch (error) {
      this.options.onError(error, `opening a new ${this.options.name} segment`)
    }
  }

  private replaceLive(opened: Segment): Segment {
    this.seal()
    this.live = opened
    this.tornBytes = 0
    this.options.onOpened(opened)
    return opened
  }

  private nameNext(): Pick<Segment, "number" | "path"> {
    const number = this.takeNumber()
    return { number, path: join(this.options.dir, toSegmentName(number, this.options.extension)) }
  }

  private openSegment(): Segment {
    const { dir } = this.options
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const { number, path } = this.nameNext()
    // Readable as well: the reader still reaches what is written when somebody removes the directory.
    const fd = openSync(path, "wx+", 0o600)
    void syncDirectory(dir)
    return { number, path, bytes: 0, consumed: 0, waiting: 0, fd, room: undefined }
  }

  private syncLive(): void {
    this.syncTimer = undefined
    if (this.live !== undefined) this.track(this.sync(this.live))
  }

  private async sync(segment: Segment): Promise<void> {
    try {
      await promisify(fdatasync)(segment.fd!)
    } catch (error) {
      // Without a descriptor, the owner has closed the file meanwhile: its records are no longer needed.
      if (segment.fd !== undefined) this.options.onError(error, `syncing the ${this.options.name}`)
    }
  }

  private track(work: Promise<void>): void {
    this.syncing = Promise.all([this.syncing, work]).then(() => {})
  }
}

/** Makes the name of a new file durable. Some systems cannot do it; there, the sync of the file itself has to do. */
async function syncDirectory(dir: string): Promise<void> {
  try {
    const handle = await open(dir, "r")
    await handle.sync().finally(() => handle.close())
  } catch {
    // See above.
  }
}
