import { closeSync } from "node:fs"
import { unlink } from "node:fs/promises"
import { basename, join } from "node:path"
import type { Segment } from "../../kit/log/segment.ts"
import { SegmentWriter } from "../../kit/log/segment-writer.ts"
import { type OrphanedFiles, SEGMENT, type SpoolFile } from "./files.ts"
import { startLargeWrite } from "./large-file.ts"
import { addChecksum, type BodyRecord } from "./record.ts"

const SEGMENT_BYTES = 8 << 20
/** A segment whose records are all uploaded is replaced at most this often; an idle gateway then leaves no file. */
const RENEW_INTERVAL_MS = 1000

interface SpoolOptions {
  readonly dir: string
  readonly maxBytes: number
  /** Segments are synced to the disk at most this much later. */
  readonly syncIntervalMs: number
  /** A file has grown, or is sealed. */
  onChange(file: SpoolFile): void
  /** Something failed in the background. */
  onError(error: unknown, doing: string): void
}

/** The files of bodies that wait for their upload: see files.ts. */
export class BodySpool {
  bytes: number
  private readonly options: SpoolOptions
  private readonly waiting: Map<string, SpoolFile>
  /** Names of `.part` files, by the id of their request. */
  private readonly interrupted: Map<string, string>
  private readonly writer: SegmentWriter
  private live: Segment | undefined = undefined
  private sealedAt = 0
  /** The live segment was uploaded up to here when it was too early to replace it. */
  private uploadedLive: { readonly name: string; readonly bytes: number } | undefined = undefined
  private renewTimer: NodeJS.Timeout | undefined = undefined
  private isClosed = false
  private background: Promise<void> = Promise.resolve()

  constructor(options: SpoolOptions, orphaned: OrphanedFiles) {
    this.options = options
    this.waiting = new Map(orphaned.files.map((file) => [file.name, file]))
    this.interrupted = new Map(orphaned.interrupted.map(({ id, name }) => [id, name]))
    this.bytes = orphaned.files.reduce((sum, file) => sum + file.bytes, 0)
    this.writer = new SegmentWriter({
      dir: options.dir,
      extension: SEGMENT,
      name: "body spool",
      lastNumber: orphaned.lastNumber,
      segmentBytes: SEGMENT_BYTES,
      syncIntervalMs: options.syncIntervalMs,
      onOpened: (segment) => this.follow(segment),
      onSealed: closeSegment,
      onError: options.onError,
    })
  }

  /** The files that wait for their upload. */
  files(): readonly SpoolFile[] {
    return [...this.waiting.values()]
  }

  /**
   * Appends a record, which then survives the end of this process. Returns whether there was room for it.
   * @throws the error of the disk
   */
  append(record: BodyRecord): boolean {
    if (this.bytes + record.length > this.options.maxBytes) return false
    addChecksum(record)
    const segment = this.writer.appendPieces(record.pieces, record.length)
    this.bytes += record.length
    this.announce(segment, false)
    return true
  }

  /** The same for a record that is too large to be written at once. `onDone` gets the error, if there is one. */
  appendLarge(id: string, record: BodyRecord, onDone: (error: unknown) => void): boolean {
    if (this.bytes + record.length > this.options.maxBytes) return false
    const stem = `${String(this.writer.takeNumber()).padStart(12, "0")}.${id}`
    const { partName, written } = startLargeWrite(this.options.dir, stem, record)
    this.bytes += record.length
    const work = written.then(
      (file) => {
        this.waiting.set(file.name, file)
        onDone(undefined)
        this.options.onChange(file)
      },
      (error: unknown) => {
        this.bytes -= record.length
        this.interrupted.set(id, partName)
        onDone(error)
      },
    )
    this.runInBackground("writing a large body", work)
    return true
  }

  /** Everything in a file before `bytes` is in S3. */
  uploaded(name: string, bytes: number): void {
    const file = this.waiting.get(name)
    if (file === undefined || bytes < file.bytes) return
    if (this.live !== undefined && basename(this.live.path) === name) {
      if (!this.isClosed && performance.now() - this.sealedAt < RENEW_INTERVAL_MS) {
        this.uploadedLive = { name, bytes }
        this.renewTimer ??= setTimeout(() => this.renew(), RENEW_INTERVAL_MS).unref()
        return
      }
      this.seal()
    }
    this.waiting.delete(name)
    this.bytes -= file.bytes
    this.runInBackground("deleting uploaded bodies", removeFile(join(this.options.dir, name)))
  }

  /** Deletes the `.part` file of a request, whose row no longer names an object. */
  async forgetInterrupted(id: string): Promise<void> {
    const name = this.interrupted.get(id)
    this.interrupted.delete(id)
    if (name !== undefined) await removeFile(join(this.options.dir, name))
  }

  async close(): Promise<void> {
    this.isClosed = true
    clearTimeout(this.renewTimer)
    this.renew()
    this.seal()
    await this.writer.close()
    await this.background
  }

  /** The writer has sealed the live segment, if there was one, and opened the next. */
  private follow(segment: Segment): void {
    this.announceSealed()
    this.live = segment
  }

  private seal(): void {
    this.announceSealed()
    this.live = undefined
    this.writer.seal()
  }

  private announceSealed(): void {
    if (this.live === undefined) return
    this.sealedAt = performance.now()
    this.announce(this.live, true)
  }

  private announce({ path, bytes, waiting: records }: Segment, isSealed: boolean): void {
    const file = { name: basename(path), bytes, records, isSealed }
    this.waiting.set(file.name, file)
    this.options.onChange(file)
  }

  private renew(): void {
    this.renewTimer = undefined
    if (this.uploadedLive !== undefined) this.uploaded(this.uploadedLive.name, this.uploadedLive.bytes)
  }

  private runInBackground(doing: string, work: Promise<void>): void {
    const guarded = work.catch((error: unknown) => this.options.onError(error, doing))
    this.background = Promise.all([this.background, guarded]).then(() => {})
  }
}

function closeSegment(segment: Segment): void {
  closeSync(segment.fd!)
  segment.fd = undefined
}

async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error) => {
    if (error.code !== "ENOENT") throw error
  })
}
