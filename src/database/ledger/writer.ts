import { type Batch, rowAt, type Spool, sliceRows } from "../../kit/spool.ts"
import type { Database } from "../_database.ts"
import { INSERT_ROWS } from "./columns.ts"
import { describeFailure, isDataError } from "./data-errors.ts"
import { toSmallestLine } from "./serialize.ts"

const MIN_BATCH_BYTES = 32 << 10

export interface WriterTiming {
  /** A row waits at most so long for others to share its statement. */
  readonly lingerMs: number
  /** A batch is sent as soon as it has so many bytes. */
  readonly batchBytes: number
  /** Then the database is considered not to answer. */
  readonly queryTimeoutMs: number
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
}

export const WRITER_TIMING: WriterTiming = {
  lingerMs: 250,
  batchBytes: 512 << 10,
  queryTimeoutMs: 15_000,
  minBackoffMs: 50,
  maxBackoffMs: 2000,
}

/** A row that the database did not take in any form. */
export interface RejectedRow {
  readonly line: string
  readonly reason: string
}

export interface WriterOptions {
  readonly db: Database
  /** Those with waiting lines are read in this order. */
  readonly spools: readonly Spool[]
  readonly timing: WriterTiming
  /** Keeps what the database refuses; called before the batch is acknowledged. */
  reject(rows: readonly RejectedRow[]): void
  /** The batch is settled and acknowledged: all of its lines are written but `rejected`. */
  onSettled(batch: Batch, rejected: number, tookMs: number): void
  /** The batch stays and is sent again. */
  onFailure(error: unknown): void
}

export interface Writer {
  /** Something was appended. Cheap. */
  wake(): void
  /** Writes without lingering until nothing waits, or for `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>
  /** Sends no further batch; waits for the running one, but not longer than `patienceMs`. */
  close(patienceMs: number): Promise<void>
}

/** Takes rows from the spools to the database: one batch at a time, in order, each until it is settled. */
export function createWriter({ db, spools, timing, reject, onSettled, onFailure }: WriterOptions): Writer {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let batchBytes = timing.batchBytes
  let backoffMs = 0
  let isDraining = false
  let isClosed = false
  let isAbandoned = false // the spools are no longer ours
  let endPause: (() => void) | undefined

  const findWaiting = () => spools.find((spool) => spool.waitingLines > 0)
  const isBatchFull = () => spools.some((spool) => spool.waitingBytes >= timing.batchBytes)

  function wake(): void {
    if (running !== undefined || isClosed) return
    if (isBatchFull()) start()
    else timer ??= setTimeout(start, timing.lingerMs)
  }

  function start(): void {
    clearTimeout(timer)
    timer = undefined
    running ??= run().finally(() => {
      running = undefined
      if (findWaiting() !== undefined) wake()
    })
  }

  async function run(): Promise<void> {
    do {
      const spool = findWaiting()
      if (spool === undefined) return
      try {
        await writeOne(spool)
        backoffMs = 0
        batchBytes = Math.min(batchBytes * 2, timing.batchBytes)
      } catch (error) {
        if (isClosed) return
        onFailure(error)
        batchBytes = Math.max(batchBytes / 2, MIN_BATCH_BYTES) // a smaller one may pass a slow line in time
        backoffMs = Math.min(Math.max(backoffMs * 2, timing.minBackoffMs), timing.maxBackoffMs)
        await pause(backoffMs * (0.5 + Math.random() / 2)) // so that several gateways do not return as one
      }
    } while (!isClosed && (isDraining || backoffMs > 0 || isBatchFull()))
  }

  async function writeOne(spool: Spool): Promise<void> {
    const batch = await spool.read(batchBytes)
    if (batch === undefined) throw new Error("rows wait, but none can be read")
    const startedAt = performance.now()
    const rejected: RejectedRow[] = batch.broken.map((line) => ({ line, reason: "not a JSON object" }))
    await insert(batch, 0, batch.starts.length, rejected)
    if (isAbandoned) return
    if (rejected.length > 0) reject(rejected)
    spool.ack(batch)
    const lost = batch.lines - batch.starts.length - batch.broken.length
    onSettled(batch, rejected.length + lost, performance.now() - startedAt)
  }

  /** Halves what the database refuses until the row is alone, so that its neighbours are written all the same. */
  async function insert(batch: Batch, from: number, to: number, rejected: RejectedRow[]): Promise<void> {
    if (from === to) return
    try {
      await send(sliceRows(batch, from, to))
    } catch (error) {
      if (!isDataError(error)) throw error
      if (to - from === 1) return insertSmallest(rowAt(batch, from).toString(), error, rejected)
      const middle = (from + to) >> 1
      await insert(batch, from, middle, rejected)
      await insert(batch, middle, to, rejected)
    }
  }

  async function insertSmallest(line: string, refusal: unknown, rejected: RejectedRow[]): Promise<void> {
    const reason = `stored without its details: the database refused them (${describeFailure(refusal)})`
    let smallest: string
    try {
      smallest = toSmallestLine(JSON.parse(line), reason)
    } catch {
      rejected.push({ line, reason: describeFailure(refusal) })
      return
    }
    try {
      await send(Buffer.from(`[${smallest}]`))
    } catch (error) {
      if (!isDataError(error)) throw error
      rejected.push({ line, reason: describeFailure(error) })
    }
  }

  async function send(array: Buffer): Promise<void> {
    await db.query({ text: INSERT_ROWS, values: [array], timeoutMs: timing.queryTimeoutMs })
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(alarm)
        endPause = undefined
        resolve()
      }
      const alarm = setTimeout(end, ms)
      endPause = end
    })
  }

  async function drain(deadlineMs: number): Promise<void> {
    isDraining = true
    endPause?.()
    let alarm: NodeJS.Timeout | undefined
    const deadline = new Promise<"late">((resolve) => {
      alarm = setTimeout(resolve, deadlineMs, "late")
    })
    while (!isClosed && findWaiting() !== undefined) {
      start()
      if ((await Promise.race([running, deadline])) === "late") break
    }
    clearTimeout(alarm)
    isDraining = false
  }

  async function close(patienceMs: number): Promise<void> {
    isClosed = true
    clearTimeout(timer)
    endPause?.()
    if (running === undefined) return
    let alarm: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      alarm = setTimeout(resolve, patienceMs)
    })
    await Promise.race([running, patience])
    clearTimeout(alarm)
    isAbandoned = true
  }

  return { wake, drain, close }
}
