import { promisify } from "node:util"
import { gzip } from "node:zlib"
import { toDocument } from "../document.ts"
import type { Bucket } from "./client.ts"
import { type Failure, toFailure } from "./failure.ts"
import { type Backoff, createFailureState } from "./failure-state.ts"
import { beginReading, type Reading, readNext } from "./reader.ts"
import { fromRecord, type Stored } from "./record.ts"
import type { SpoolFile } from "./spool.ts"

export type ToUploader =
  | { readonly type: "files"; readonly files: readonly SpoolFile[] }
  /** Tries now what waits for its next attempt. */
  | { readonly type: "hurry" }
  | { readonly type: "close" }

export type FromUploader =
  | { readonly type: "log"; readonly level: "info" | "warn" | "error"; readonly line: string }
  | {
      readonly type: "progress"
      readonly uploaded: number
      /** Requests whose objects will never be; `undefined` where not even the id could be read. */
      readonly lost: readonly (string | undefined)[]
      /** Files of which nothing before `bytes` waits. */
      readonly taken: readonly { readonly name: string; readonly bytes: number }[]
      readonly trouble: string | undefined
    }
  | { readonly type: "closed" }

export interface UploaderOptions {
  readonly dir: string
  readonly openBucket: () => Promise<Bucket>
  readonly backoff: Backoff
  post(message: FromUploader): void
}

const CONCURRENCY = 32
/** Records that are being uploaded, together; one is always let in. */
const MAX_INFLIGHT_BYTES = 32 << 20
const REPORT_MS = 20
/** An object that S3 refuses while it takes others is given up after so many attempts. */
const MAX_REFUSALS = 8

/** Takes what the spool holds to S3, in any thread: memory holds what is under way, all else waits on disk. */
export function createUploader({ dir, openBucket, backoff, post }: UploaderOptions): (message: ToUploader) => void {
  const readings = new Map<string, Reading>()
  let bucket: Promise<Bucket> | undefined
  let inflight = 0
  let inflightBytes = 0
  let isPumping = false
  let isAgain = false
  let isClosed = false
  let uploaded = 0
  let lost: (string | undefined)[] = []
  const finished: { name: string; bytes: number }[] = []
  let reportTimer: NodeJS.Timeout | undefined
  let reported: string | undefined
  const trouble = createFailureState(
    (level, line) => post({ type: "log", level, line }),
    backoff,
    () =>
      [...readings.values()].reduce(
        (sum, { file, recordsRead, outstanding }) => sum + file.records - recordsRead + outstanding,
        0,
      ),
  )

  function tell(message: ToUploader): void {
    if (message.type === "files") {
      for (const file of message.files) noteFile(file)
      void pump()
    } else if (message.type === "hurry") trouble.hurry()
    else void close()
  }

  function noteFile(file: SpoolFile): void {
    const reading = readings.get(file.name)
    if (reading) reading.file = file
    else readings.set(file.name, beginReading(file))
    if (reading) settle(reading)
  }

  async function pump(): Promise<void> {
    isAgain = true
    if (isPumping) return
    isPumping = true
    while (isAgain) {
      isAgain = false
      while (!isClosed && inflight < CONCURRENCY && (inflight === 0 || inflightBytes < MAX_INFLIGHT_BYTES)) {
        const next = await readNext(dir, readings.values())
        if (next.kind === "none") break
        if (next.kind === "record") void upload(next.reading, next.record)
        else giveUpRest(next.reading, next.records)
      }
    }
    isPumping = false
  }

  function giveUpRest(reading: Reading, records: number): void {
    const line = `bodies of ${records} requests are lost: the file ${reading.file.name} is damaged or gone`
    post({ type: "log", level: "error", line })
    for (let i = 0; i < records; i++) lost.push(undefined)
    settle(reading)
    report()
  }

  async function upload(reading: Reading, record: Buffer): Promise<void> {
    inflight++
    inflightBytes += record.length
    let id: string | undefined
    try {
      const stored = fromRecord(record)
      id = stored.exchange.id
      if (await putUntilDone(stored)) uploaded++
      else if (isClosed) return
      else lost.push(id)
    } catch {
      lost.push(id)
      post({ type: "log", level: "error", line: "a body that waits cannot be read any more" })
    } finally {
      inflight--
      inflightBytes -= record.length
    }
    reading.outstanding--
    settle(reading)
    report()
    void pump()
  }

  /** False: given up, or closed. */
  async function putUntilDone({ key, exchange }: Stored): Promise<boolean> {
    const object = await promisify(gzip)(toDocument(exchange))
    const successesBefore = trouble.successes
    for (let attempts = 0; !isClosed; attempts++) {
      const failure = await put(key, object)
      if (failure === undefined) {
        trouble.worked()
        return true
      }
      if (isClosed) return false
      const isRefused = failure.isOfObject && trouble.successes > successesBefore
      if (isRefused && attempts >= MAX_REFUSALS) {
        post({ type: "log", level: "error", line: `a body is given up: ${failure.text}, and takes others` })
        return false
      }
      if (!isRefused) trouble.failed(failure, attempts)
      report()
      await trouble.pause(attempts)
    }
    return false
  }

  async function put(key: string, object: Buffer): Promise<Failure | undefined> {
    try {
      bucket ??= openBucket()
      await (await bucket).put(key, object)
      return undefined
    } catch (error) {
      return toFailure(error)
    }
  }

  /** A file that is sealed and wholly in S3 is no longer ours. */
  function settle(reading: Reading): void {
    const { file, readTo, outstanding } = reading
    if (!file.isSealed || readTo < file.bytes || outstanding > 0) return
    report()
    finished.push({ name: file.name, bytes: readTo })
    readings.delete(file.name)
    reading.handle?.close().catch(() => {})
  }

  function report(): void {
    reportTimer ??= setTimeout(sendReport, REPORT_MS)
  }

  function sendReport(): void {
    clearTimeout(reportTimer)
    reportTimer = undefined
    const idle = [...readings.values()]
      .filter(({ readTo, outstanding }) => outstanding === 0 && readTo > 0)
      .map(({ file, readTo }) => ({ name: file.name, bytes: readTo }))
    if (uploaded === 0 && lost.length === 0 && finished.length === 0 && trouble.text === reported) {
      if (idle.length === 0) return
    }
    reported = trouble.text
    post({ type: "progress", uploaded, lost, taken: [...finished.splice(0), ...idle], trouble: trouble.text })
    uploaded = 0
    lost = []
  }

  async function close(): Promise<void> {
    isClosed = true
    trouble.hurry()
    sendReport()
    for (const { handle } of readings.values()) await handle?.close().catch(() => {})
    ;(await bucket?.catch(() => undefined))?.close()
    post({ type: "closed" })
  }

  return tell
}
