import { mkdirSync } from "node:fs"
import { setAside } from "../kit/log/damaged.ts"
import type { BodyColumns, CapturedExchange, Log, Sink } from "./_store.ts"
import { type ClearBodyKeys, createKeyClearing, type KeyClearing } from "./s3/clear-keys.ts"
import { checkSettings, type S3Settings } from "./s3/client.ts"
import type { Backoff } from "./s3/failure-state.ts"
import { findOrphanedFiles, type OrphanedFiles } from "./s3/files.ts"
import type { FromUploader } from "./s3/progress.ts"
import { type BodyRecord, toRecord } from "./s3/record.ts"
import { BodySpool } from "./s3/spool.ts"
import { UploadSupervisor } from "./s3/supervisor.ts"

export type { ClearBodyKeys } from "./s3/clear-keys.ts"

/*
 * The order of steps for one request:
 *
 *   1. before the last byte of its answer leaves, its record is written to the spool, by one writev of at most 256 KiB;
 *   2. only then its row gets the key and goes to the journal, so a row with a key has its bodies on the disk;
 *   3. later, another thread makes the document, compresses and uploads it. A file is deleted when all of it is in S3.
 *
 * If the spool is full or the disk fails at 1, the row has no key, and `dropped` is counted. A kill between 1 and 2
 * leaves an object without a row. After a kill between 2 and 3, the next process uploads it. A larger record is written
 * after its answer; an empty file stands for it from 1 on. If it cannot be written, or the process is killed meanwhile,
 * it is `lost`, and `clearKeys` removes the key from the row. A power cut may lose the last `syncIntervalMs` of
 * records.
 */

/** A process that stops does not wait for an S3 that fails, or that takes no body for `idle` checks: about 4 s. */
const DRAIN_CHECKS = { everyMs: 1000, idle: 4 }
const MAX_BYTES_BEFORE_ANSWER = 256 << 10

export interface S3Timing extends Backoff {
  /** The longest time of one attempt. It is long enough for a link of a few kB/s. */
  readonly attemptMs: number
}

const TIMING: S3Timing = { minMs: 200, maxMs: 20_000, lastingMs: 60_000, attemptMs: 120_000 }

interface S3SinkOptions {
  readonly s3: S3Settings
  readonly dir: string
  readonly maxDiskBytes: number
  readonly syncIntervalMs: number
  readonly clearKeys: ClearBodyKeys
  readonly log: Log
  readonly timing?: Partial<S3Timing>
  readonly workerUrl?: URL | null
}

/** Opens the spool of a directory, and starts to upload what earlier processes left in it. */
export async function openS3Sink(options: S3SinkOptions): Promise<Sink> {
  checkSettings(options.s3)
  mkdirSync(options.dir, { recursive: true, mode: 0o700 })
  const onError = (error: unknown, doing: string) => options.log("error", `${doing} failed: ${codeOf(error)}`)
  return new S3Sink(options, await findOrphanedFiles(options.dir, onError), onError)
}

class S3Sink implements Sink {
  readonly name = "s3"
  private readonly options: S3SinkOptions
  private readonly spool: BodySpool
  private readonly uploads: UploadSupervisor
  private readonly keyClearing: KeyClearing
  private readonly count = { kept: 0, uploaded: 0, dropped: 0, lost: 0 }
  private failure: string | undefined = undefined
  /** Why the last exchange was not stored; each reason is logged once until one is stored again. */
  private loggedReason: string | undefined = undefined
  /** Large records that are not on the disk yet. */
  private beingWritten = 0
  private isClosed = false
  private endDrain: (() => void) | undefined = undefined

  constructor(options: S3SinkOptions, orphaned: OrphanedFiles, onError: (error: unknown, doing: string) => void) {
    const { dir, s3, log } = options
    const timing = { ...TIMING, ...options.timing }
    this.options = options
    this.spool = new BodySpool(
      {
        dir,
        maxBytes: options.maxDiskBytes,
        syncIntervalMs: options.syncIntervalMs,
        onChange: (file) => this.uploads.fileChanged(file),
        onError,
      },
      orphaned,
    )
    this.keyClearing = createKeyClearing(options.clearKeys, {
      onCleared: (id) => this.spool.forgetInterrupted(id),
      onIdle: () => this.checkDrained(),
    })
    this.recover(orphaned)
    this.uploads = new UploadSupervisor({
      data: { dir, s3, backoff: timing, attemptMs: timing.attemptMs },
      workerUrl: options.workerUrl,
      files: () => this.spool.files(),
      onMessage: (message) => this.onMessage(message),
      onDied: (reason) => {
        this.count.uploaded = Math.min(this.count.uploaded, Math.max(0, this.countKept() - this.countOnDisk()))
        log("error", `the upload thread for bodies ended (${reason}) and is restarted`)
      },
    })
  }

  keep(exchange: CapturedExchange, keyId: string, release: () => void): BodyColumns {
    const key = toKey(exchange, keyId)
    try {
      const record = toRecord({ key, exchange })
      const isLarge = record.length > MAX_BYTES_BEFORE_ANSWER
      const isKept = isLarge ? this.appendLarge(exchange.id, record, release) : this.spool.append(record)
      if (!isLarge || !isKept) release()
      if (!isKept) return this.drop(`the ${this.options.maxDiskBytes} bytes of disk for bodies that wait are used up`)
    } catch (error) {
      release()
      return this.drop(`the disk rejects writes (${codeOf(error)})`)
    }
    this.count.kept++
    this.loggedReason = undefined
    return { s3_key: key }
  }

  stats() {
    const { spool, failure } = this
    return { ...this.count, waiting: this.countWaiting(), diskBytes: spool.bytes, lastError: failure }
  }

  async drain(deadlineMs: number): Promise<void> {
    this.uploads.hurry()
    if (this.isDrained()) return
    this.options.log("info", `${this.countWaiting()} bodies wait for S3; those it does not take now are uploaded later`)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.endDrain?.(), deadlineMs)
      let { uploaded } = this.count
      let idle = 0
      // What is on the disk is safe, so the process waits for it only while S3 takes it.
      const progress = setInterval(() => {
        idle = this.count.uploaded === uploaded ? idle + 1 : 0
        uploaded = this.count.uploaded
        const isStuck = this.failure !== undefined || idle >= DRAIN_CHECKS.idle
        if (isStuck && this.beingWritten === 0) this.endDrain?.()
      }, DRAIN_CHECKS.everyMs)
      this.endDrain = () => {
        clearTimeout(timer)
        clearInterval(progress)
        resolve()
      }
    })
    this.endDrain = undefined
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    this.endDrain?.()
    this.keyClearing.close()
    await this.uploads.close()
    await this.spool.close()
    const { kept, uploaded, dropped, lost } = this.count
    const sum = `${uploaded} uploaded + ${this.countWaiting()} waiting + ${lost} lost`
    this.options.log("info", `bodies: ${kept} kept = ${sum}; ${dropped} dropped`)
  }

  /** Counts what earlier processes left. */
  private recover({ files, interrupted, damaged }: OrphanedFiles): void {
    const { dir, log } = this.options
    const waiting = files.reduce((sum, { records }) => sum + records, 0)
    this.count.kept = waiting + interrupted.length + damaged.length
    for (const { id } of interrupted) this.lose(id)
    for (const _ of damaged) this.lose(undefined)
    if (waiting > 0) log("info", `the bodies of ${waiting} requests of an earlier process wait for S3`)
    if (interrupted.length > 0) {
      log("warn", `bodies of ${interrupted.length} requests were lost when an earlier process was killed`)
    }
    if (damaged.length > 0) log("error", setAside(dir, damaged))
  }

  private appendLarge(id: string, record: BodyRecord, release: () => void): boolean {
    const isKept = this.spool.appendLarge(id, record, (error) => {
      release()
      this.beingWritten--
      if (!error) return
      this.lose(id)
      this.logReason(`the disk rejects writes (${codeOf(error)})`)
    })
    if (isKept) this.beingWritten++
    return isKept
  }

  private onMessage(message: FromUploader): void {
    if (message.type === "log") this.options.log(message.level, message.line)
    if (message.type !== "progress") return
    this.count.uploaded += message.uploaded
    this.failure = message.failure
    for (const id of message.lost) this.lose(id)
    for (const { name, bytes } of message.done) this.spool.uploaded(name, bytes)
    this.checkDrained()
  }

  private lose(id: string | undefined): void {
    this.count.lost++
    if (id !== undefined) this.keyClearing.add(id)
  }

  private drop(reason: string): BodyColumns {
    this.count.dropped++
    this.logReason(reason)
    return {}
  }

  private logReason(reason: string): void {
    if (this.loggedReason !== reason) {
      this.options.log(
        "error",
        `bodies are not stored: ${reason}; their requests are served and have rows without a key`,
      )
    }
    this.loggedReason = reason
  }

  private countKept(): number {
    return this.count.kept - this.count.lost
  }

  private countOnDisk(): number {
    return this.spool.files().reduce((sum, { records }) => sum + records, 0) + this.beingWritten
  }

  private countWaiting(): number {
    return Math.max(0, this.countKept() - this.count.uploaded)
  }

  /** A loss is settled when its row no longer has the key. */
  private isDrained(): boolean {
    return this.countWaiting() === 0 && this.keyClearing.size === 0
  }

  private checkDrained(): void {
    if (this.isDrained()) this.endDrain?.()
  }
}

/** Returns the key of an object. It is made of ids only, so a client cannot choose a place in the bucket. */
function toKey({ id, receivedAt }: CapturedExchange, keyId: string): string {
  return `${keyId.slice(0, 16)}/${new Date(receivedAt).toISOString().slice(0, 10)}/${id}.json.gz`
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === "string" ? code : "unknown error"
}
