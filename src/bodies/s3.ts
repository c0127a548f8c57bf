import type { BodyColumns, CapturedExchange, Log, Sink } from "./_store.ts"
import { type ClearBodyKeys, createKeyClearing } from "./s3/clear-keys.ts"
import { checkSettings, type S3Settings } from "./s3/client.ts"
import type { Backoff } from "./s3/failure-state.ts"
import { toRecord } from "./s3/record.ts"
import { openBodySpool, type SpoolFile } from "./s3/spool.ts"
import { startUploading, type Uploading } from "./s3/thread.ts"
import type { FromUploader } from "./s3/uploader.ts"

export type { ClearBodyKeys } from "./s3/clear-keys.ts"

/*
 * The order of things, for one request:
 *
 *   1. before the last byte of its answer leaves: its record is written to the spool, by one writev of at most 256 KiB;
 *   2. only then its row gets the key, and is journalled: so a row with a key has its bodies on disk;
 *   3. later, in another thread: document, gzip, upload; when all of a file is in S3, the file goes.
 *
 * No room or no disk at 1: no key, `dropped`. Killed between 1 and 2: an object without a key in any row. Killed
 * between 2 and 3: uploaded by the next process. A larger record is written behind the answer's back; an empty file
 * stands for it from 1 on. If it cannot be written, or the process is killed meanwhile, it is `lost`, and
 * `forget` takes the key out of the row again. A power cut may take the last `syncIntervalMs` of records.
 */

const MAX_ON_THE_SPOT_BYTES = 256 << 10
const TELL_MS = 5
const RESTART_MS = 1000

export interface S3Timing extends Backoff {
  /** The longest time of one attempt: a link of a few kB/s is waited for. */
  readonly attemptMs: number
}

const TIMING: S3Timing = { minMs: 200, maxMs: 20_000, lastingMs: 60_000, attemptMs: 120_000 }

export async function openS3Sink(options: {
  readonly s3: S3Settings
  readonly dir: string
  readonly maxDiskBytes: number
  readonly syncIntervalMs: number
  readonly forget: ClearBodyKeys
  readonly log: Log
  readonly timing?: Partial<S3Timing>
  readonly workerUrl?: URL | null
}): Promise<Sink> {
  const { dir, s3, log } = options
  checkSettings(s3)
  const timing = { ...TIMING, ...options.timing }
  const count = { kept: 0, uploaded: 0, dropped: 0, lost: 0 }
  const changed = new Map<string, SpoolFile>()
  let tellTimer: NodeJS.Timeout | undefined
  let restartTimer: NodeJS.Timeout | undefined
  let trouble: string | undefined
  let saidRefusal: string | undefined
  let beingWritten = 0
  let isClosed = false
  let endDrain: (() => void) | undefined

  const spool = await openBodySpool({
    dir,
    maxBytes: options.maxDiskBytes,
    syncIntervalMs: options.syncIntervalMs,
    onChange(file) {
      if (isClosed) return
      changed.set(file.name, file)
      tellTimer ??= setTimeout(tellChanges, TELL_MS)
    },
    onError: (error, doing) => log("error", `trouble while ${doing}: ${codeOf(error)}`),
  })
  const forgetting = createKeyClearing(options.forget, {
    onForgotten: (id) => spool.forgetTorn(id),
    onIdle: checkDrained,
  })
  const left = spool.files()
  count.kept = left.reduce((sum, { records }) => sum + records, 0) + spool.torn.length
  for (const id of spool.torn) lose(id)
  if (left.length > 0) log("info", `bodies of ${count.kept - count.lost} requests of an earlier run wait for S3`)
  if (spool.torn.length > 0)
    log("warn", `bodies of ${spool.torn.length} requests were lost when an earlier run was killed`)

  let uploading = start()

  function start(): Uploading {
    const started = startUploading({
      data: { dir, s3, backoff: timing, attemptMs: timing.attemptMs },
      workerUrl: options.workerUrl,
      onMessage,
      onDied(reason) {
        if (isClosed) return
        // The next one begins every file again from its start.
        const onDisk = spool.files().reduce((sum, { records }) => sum + records, 0) + beingWritten
        count.uploaded = Math.min(count.uploaded, Math.max(0, count.kept - count.lost - onDisk))
        log("error", `the uploader of bodies has ended (${reason}) and is started again`)
        restartTimer = setTimeout(() => {
          uploading = start()
        }, RESTART_MS)
      },
    })
    const files = spool.files()
    if (files.length > 0) started.tell({ type: "files", files })
    return started
  }

  function tellChanges(): void {
    tellTimer = undefined
    const files = [...changed.values()]
    changed.clear()
    if (files.length > 0) uploading.tell({ type: "files", files })
  }

  function onMessage(message: FromUploader): void {
    if (message.type === "log") log(message.level, message.line)
    if (message.type !== "progress") return
    count.uploaded += message.uploaded
    trouble = message.trouble
    for (const id of message.lost) lose(id)
    for (const { name, bytes } of message.taken) spool.taken(name, bytes)
    checkDrained()
  }

  function lose(id: string | undefined): void {
    count.lost++
    if (id !== undefined) forgetting.add(id)
  }

  function keep(exchange: CapturedExchange, keyId: string, release: () => void): BodyColumns {
    const key = toKey(exchange, keyId)
    try {
      const pieces = toRecord({ key, exchange })
      const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
      const isLarge = length > MAX_ON_THE_SPOT_BYTES
      const done = (error: unknown) => {
        release()
        beingWritten--
        if (!error) return
        lose(exchange.id)
        refuse(`the disk refuses them (${codeOf(error)})`)
      }
      const isKept = isLarge ? spool.appendLarge(exchange.id, pieces, length, done) : spool.append(pieces, length)
      if (!isLarge || !isKept) release()
      if (!isKept) return drop(`the ${options.maxDiskBytes} bytes of disk for those that wait are used up`)
      if (isLarge) beingWritten++
    } catch (error) {
      release()
      return drop(`the disk refuses them (${codeOf(error)})`)
    }
    count.kept++
    saidRefusal = undefined
    return { s3_key: key }
  }

  function drop(why: string): BodyColumns {
    count.dropped++
    refuse(why)
    return {}
  }

  function refuse(why: string): void {
    if (saidRefusal !== why)
      log("error", `bodies are not stored: ${why}; their requests go on and have rows without a key`)
    saidRefusal = why
  }

  const countWaiting = () => Math.max(0, count.kept - count.uploaded - count.lost)
  /** What was lost is settled when its row says so. */
  const isDrained = () => countWaiting() === 0 && forgetting.size === 0

  function checkDrained(): void {
    if (isDrained()) endDrain?.()
  }

  async function drain(deadlineMs: number): Promise<void> {
    if (tellTimer !== undefined) clearTimeout(tellTimer)
    tellChanges()
    uploading.tell({ type: "hurry" })
    if (isDrained()) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, deadlineMs)
      endDrain = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    endDrain = undefined
  }

  async function close(): Promise<void> {
    if (isClosed) return
    isClosed = true
    endDrain?.()
    clearTimeout(tellTimer)
    clearTimeout(restartTimer)
    forgetting.close()
    await uploading.close()
    await spool.close()
    const { kept, uploaded, dropped, lost } = count
    log(
      "info",
      `bodies: ${kept} kept = ${uploaded} uploaded + ${countWaiting()} waiting + ${lost} lost; ${dropped} dropped`,
    )
  }

  return {
    name: "s3",
    keep,
    stats: () => ({ ...count, waiting: countWaiting(), diskBytes: spool.bytes, lastError: trouble }),
    drain,
    close,
  }
}

/** Made of ids only, so that nothing that a client sends can choose a place. */
function toKey({ id, receivedAt }: CapturedExchange, keyId: string): string {
  return `${keyId.slice(0, 16)}/${new Date(receivedAt).toISOString().slice(0, 10)}/${id}.json.gz`
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === "string" ? code : "unknown error"
}
