import { promisify } from "node:util"
import { gzip } from "node:zlib"
import { setAside } from "../../kit/log/damaged.ts"
import { toDocument } from "../document.ts"
import type { Bucket } from "./client.ts"
import { type Failure, toFailure } from "./failure.ts"
import { type Backoff, createFailureState, type FailureState } from "./failure-state.ts"
import type { SpoolFile } from "./files.ts"
import { type FromUploader, ProgressReport } from "./progress.ts"
import { beginReading, type Reading, readNext } from "./reader.ts"
import { findRequestId, fromRecord, type StoredExchange } from "./record.ts"

export type ToUploader =
  | { readonly type: "files"; readonly files: readonly SpoolFile[] }
  /** Retries now what waits for its next attempt. */
  | { readonly type: "hurry" }
  | { readonly type: "close" }

interface UploaderOptions {
  readonly dir: string
  readonly openBucket: () => Promise<Bucket>
  readonly backoff: Backoff
  post(message: FromUploader): void
}

const CONCURRENCY = 32
/** Limit on the records that are being uploaded, together. One is always let in. */
const MAX_INFLIGHT_BYTES = 32 << 20
/** An object that S3 rejects while it accepts others is given up after this many attempts. */
const MAX_REJECTIONS = 8

/**
 * Uploads what the spool holds to S3, in any thread. Memory holds what is in flight; everything else is on the disk.
 */
export class Uploader {
  private readonly options: UploaderOptions
  private readonly readings = new Map<string, Reading>()
  private readonly progress: ProgressReport
  private readonly failures: FailureState
  private bucket: Promise<Bucket> | undefined = undefined
  private inflight = 0
  private inflightBytes = 0
  private isReading = false
  private hasMore = false
  private isClosed = false

  constructor(options: UploaderOptions) {
    this.options = options
    const log = (level: "info" | "warn" | "error", line: string) => options.post({ type: "log", level, line })
    this.failures = createFailureState(log, options.backoff, () => this.countWaiting())
    this.progress = new ProgressReport(this.readings, () => this.failures.text, options.post)
  }

  receive(message: ToUploader): void {
    if (message.type === "files") {
      for (const file of message.files) this.noteFile(file)
      void this.readAll()
    } else if (message.type === "hurry") this.failures.hurry()
    else void this.close()
  }

  private countWaiting(): number {
    let waiting = 0
    for (const { file, recordsRead, outstanding } of this.readings.values()) {
      waiting += file.records - recordsRead + outstanding
    }
    return waiting
  }

  private noteFile(file: SpoolFile): void {
    const reading = this.readings.get(file.name)
    if (reading === undefined) {
      this.readings.set(file.name, beginReading(file))
      return
    }
    reading.file = file
    this.settle(reading)
  }

  /** Starts uploads until the limits are reached or nothing is left to read. */
  private async readAll(): Promise<void> {
    this.hasMore = true
    if (this.isReading) return
    this.isReading = true
    while (this.hasMore) {
      this.hasMore = false
      while (!this.isClosed && this.hasRoom() && (await this.startNext())) {}
    }
    this.isReading = false
  }

  private hasRoom(): boolean {
    return this.inflight < CONCURRENCY && (this.inflight === 0 || this.inflightBytes < MAX_INFLIGHT_BYTES)
  }

  /** Returns whether there was something to read. */
  private async startNext(): Promise<boolean> {
    const next = await readNext(this.options.dir, this.readings.values())
    if (next.kind === "none") return false
    if (next.kind === "record") void this.upload(next.reading, next.record)
    else if (next.kind === "damaged") {
      this.setAside(next.reading, next.offset, next.record, "its checksum does not match")
      this.lose(next.reading, [findRequestId(next.record)])
    } else {
      const line = `bodies of ${next.records} requests are lost: the file ${next.reading.file.name} is damaged or gone`
      this.options.post({ type: "log", level: "error", line })
      if (next.bytes.length > 0) this.setAside(next.reading, next.offset, next.bytes, "it is not a record")
      this.lose(next.reading, Array(next.records).fill(undefined))
    }
    return true
  }

  private setAside({ file }: Reading, offset: number, bytes: Buffer, reason: string): void {
    const line = setAside(this.options.dir, [{ file: file.name, offset, reason, bytes }])
    this.options.post({ type: "log", level: "error", line })
  }

  private lose(reading: Reading, ids: readonly (string | undefined)[]): void {
    this.progress.lost.push(...ids)
    this.settle(reading)
    this.progress.schedule()
  }

  private async upload(reading: Reading, record: Buffer): Promise<void> {
    this.inflight++
    this.inflightBytes += record.length
    let id: string | undefined
    try {
      const stored = fromRecord(record)
      id = stored.exchange.id
      if (await this.putUntilDone(stored)) this.progress.uploaded++
      else if (this.isClosed) return
      else this.progress.lost.push(id)
    } catch {
      this.progress.lost.push(id)
      this.options.post({ type: "log", level: "error", line: "the body of a request cannot be read from the disk" })
    } finally {
      this.inflight--
      this.inflightBytes -= record.length
    }
    reading.outstanding--
    this.settle(reading)
    this.progress.schedule()
    void this.readAll()
  }

  /** Returns false when the object is given up, or the uploader is closed. */
  private async putUntilDone({ key, exchange }: StoredExchange): Promise<boolean> {
    const object = await promisify(gzip)(toDocument(exchange))
    const { failures } = this
    const successesBefore = failures.successes
    for (let attempts = 0; !this.isClosed; attempts++) {
      const failure = await this.put(key, object)
      if (failure === undefined) {
        failures.succeeded()
        return true
      }
      if (this.isClosed) return false
      const isRejected = failure.isOfObject && failures.successes > successesBefore
      if (isRejected && attempts >= MAX_REJECTIONS) {
        const line = `the bodies of one request are given up: ${failure.text}, and accepts others`
        this.options.post({ type: "log", level: "error", line })
        return false
      }
      if (!isRejected) failures.failed(failure, attempts)
      this.progress.schedule()
      await failures.pause(attempts)
    }
    return false
  }

  private async put(key: string, object: Buffer): Promise<Failure | undefined> {
    try {
      this.bucket ??= this.options.openBucket()
      await (await this.bucket).put(key, object)
      return undefined
    } catch (error) {
      return toFailure(error)
    }
  }

  /** Closes a file that is sealed and completely in S3, and reports it as finished. */
  private settle(reading: Reading): void {
    const { file, readTo, outstanding } = reading
    if (!file.isSealed || readTo < file.bytes || outstanding > 0) return
    this.progress.finished.push({ name: file.name, bytes: readTo })
    this.progress.schedule()
    this.readings.delete(file.name)
    reading.handle?.close().catch(() => {})
  }

  private async close(): Promise<void> {
    this.isClosed = true
    this.failures.hurry()
    this.progress.send()
    for (const { handle } of this.readings.values()) await handle?.close().catch(() => {})
    ;(await this.bucket?.catch(() => undefined))?.close()
    this.options.post({ type: "closed" })
  }
}
