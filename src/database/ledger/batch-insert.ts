import { type Batch, rowAt, sliceRows } from "../../kit/log/batch.ts"
import type { Database } from "../_database.ts"
import { describeFailure, kindOfFailure } from "./data-errors.ts"
import { insertRows, type Mark } from "./insert.ts"
import { concernsJobs, insertWithJobs } from "./jobs.ts"
import type { LateListener } from "./late.ts"
import { takesRows } from "./probe.ts"
import type { RejectedRow } from "./rejected.ts"
import { toMinimalLine } from "./serialize.ts"

/** After this many failures of one batch, an error that does not say whose fault it is may be the fault of one row. */
const MIN_FAILURES = 3
/** The same for an error of the connection, which hardly ever is. */
const MIN_LOST = 6
/** A row that takes the connection down is sent this often before it counts as the reason. */
const LOST_ATTEMPTS = 3
/** A large row gets more time: the slowest link that is waited for has 1 MB/s. */
const BYTES_PER_MS = 1000

interface InsertOptions extends LateListener {
  /** For a small statement. */
  readonly timeoutMs: number
  /** How often this batch, or one that began with the same row, failed before. */
  readonly failures: number
  /** Rows before this one are in the database already. */
  readonly from?: number
  /** Returns what the database is to record when the rows before index `to` are written. */
  markAt?(to: number): Mark | undefined
}

/**
 * Inserts the rows of a batch, and returns those that the database rejects in every form. A batch with a bad row is
 * halved until that row is alone, so its neighbors are written. The bad row is then tried without its bodies, and then
 * without its details.
 *
 * An error of the data is the fault of a row at once. Any other error has to repeat itself first, and then it is the
 * fault of a row only if the database takes another row at that moment.
 * @throws an error that holds for every row; some of the rows may be written then
 */
export async function insertBatch(db: Database, batch: Batch, options: InsertOptions): Promise<readonly RejectedRow[]> {
  const { timeoutMs, failures, from: first = 0 } = options
  const rejected: RejectedRow[] = []

  async function insert(from: number, to: number): Promise<void> {
    if (from === to) return
    const mark = options.markAt?.(to)
    const error = await trySend(sliceRows(batch, from, to), mark, to - from)
    if (error === undefined) return
    if (to - from === 1) return insertReduced(rowAt(batch, from).toString(), mark, error)
    const middle = (from + to) >> 1
    await insert(from, middle)
    await insert(middle, to)
  }

  async function insertReduced(line: string, mark: Mark | undefined, rejection: unknown): Promise<void> {
    let error = rejection
    if (kindOfFailure(error) === "lost") {
      for (let attempt = 1; attempt < LOST_ATTEMPTS; attempt++) {
        error = await trySend(Buffer.from(`[${line}]`), mark)
        if (error === undefined) return
      }
    }
    for (const reduced of reduceLine(line, describeFailure(error))) {
      error = await trySend(Buffer.from(`[${reduced}]`), mark)
      if (error === undefined) return
    }
    rejected.push({ line, reason: describeFailure(error) })
  }

  /** Returns the error when it is the fault of a row. */
  async function trySend(array: Buffer, markOfRows: Mark | undefined, count = 1): Promise<unknown> {
    // A rejected row is on the disk only when the whole batch is settled, so the progress that is recorded ends before it.
    const mark = rejected.length === 0 ? markOfRows : undefined
    try {
      const limits = { mark, timeoutMs: timeoutMs + array.length / BYTES_PER_MS }
      if (concernsJobs(array)) await insertWithJobs(db, array, { ...limits, onLate: options.onLate })
      else await insertRows(db.query, array, { count, ...limits })
      return undefined
    } catch (error) {
      if (!(await isFaultOfRow(error))) throw error
      return error
    }
  }

  async function isFaultOfRow(error: unknown): Promise<boolean> {
    const kind = kindOfFailure(error)
    if (kind === "data") return true
    if (kind === "passing" || failures < (kind === "lost" ? MIN_LOST : MIN_FAILURES)) return false
    return takesRows(db)
  }

  await insert(first, batch.starts.length)
  return rejected
}

/** Returns the forms in which a row that the database rejects is tried: none for a line that is not JSON. */
function reduceLine(line: string, rejection: string): string[] {
  try {
    const row = JSON.parse(line)
    const reason = `stored without its details: the database rejected them (${rejection})`
    const minimal = toMinimalLine(row, reason)
    if (row.request_body === undefined && row.response_body === undefined) return [minimal]
    const message = row.error_message ?? `stored without its bodies: the database rejected them (${rejection})`
    const bodiless = { ...row, error_message: message, request_body: undefined, response_body: undefined }
    return [JSON.stringify(bodiless), minimal]
  } catch {
    return []
  }
}
