import { type Batch, rowAt, sliceRows } from "../../kit/log/batch.ts"
import type { Database } from "../_database.ts"
import { describeFailure, isDataError } from "./data-errors.ts"
import { INSERT_ROWS } from "./insert.ts"
import { concernsJobs, insertWithJobs } from "./jobs.ts"
import type { RejectedRow } from "./rejected.ts"
import { toMinimalLine } from "./serialize.ts"

/**
 * Inserts the rows of a batch, and returns those that the database rejects in every form. A batch with a bad row is
 * halved until that row is alone, so its neighbors are written. The bad row is then tried without its details.
 * @throws any error that is not about the data; some of the rows may be written then
 */
export async function insertBatch(db: Database, batch: Batch, timeoutMs: number): Promise<readonly RejectedRow[]> {
  const rejected: RejectedRow[] = []

  async function insert(from: number, to: number): Promise<void> {
    if (from === to) return
    const error = await trySend(sliceRows(batch, from, to))
    if (error === undefined) return
    if (to - from === 1) return insertMinimal(rowAt(batch, from).toString(), error)
    const middle = (from + to) >> 1
    await insert(from, middle)
    await insert(middle, to)
  }

  async function insertMinimal(line: string, rejection: unknown): Promise<void> {
    const minimal = findMinimalLine(line, rejection)
    const error = minimal === undefined ? rejection : await trySend(Buffer.from(`[${minimal}]`))
    if (error !== undefined) rejected.push({ line, reason: describeFailure(error) })
  }

  /** Returns the error when the database rejects the data. */
  async function trySend(array: Buffer): Promise<unknown> {
    try {
      if (concernsJobs(array)) await insertWithJobs(db, array, timeoutMs)
      else await db.query({ text: INSERT_ROWS, values: [array], timeoutMs })
      return undefined
    } catch (error) {
      if (!isDataError(error)) throw error
      return error
    }
  }

  await insert(0, batch.starts.length)
  return rejected
}

/** Returns `undefined` for a line that is not JSON. */
function findMinimalLine(line: string, rejection: unknown): string | undefined {
  try {
    const reason = `stored without its details: the database rejected them (${describeFailure(rejection)})`
    return toMinimalLine(JSON.parse(line), reason)
  } catch {
    return undefined
  }
}
