import { type Batch, type BatchSource, rowAt } from "../../kit/log/batch.ts"
import type { Journal } from "../../kit/log/journal.ts"
import { findId } from "../../kit/log/line.ts"
import type { Database } from "../_database.ts"
import type { Mark } from "./insert.ts"
import { readJournalId } from "./journal-id.ts"

/** A journal whose progress is recorded in the database. */
export interface MarkedJournal {
  /** The id of its directory. */
  readonly id: string
  readonly source: BatchSource
  /** Rows of earlier processes that were not known to be acknowledged when it was opened. */
  readonly recoveredLines: number
  holdsRow(id: string): Promise<boolean>
}

export function toMarkedJournal(journal: Journal | undefined, dir: string): MarkedJournal | undefined {
  const id = journal === undefined ? undefined : readJournalId(dir)
  if (journal === undefined || id === undefined) return undefined
  const { recoveredLines } = journal
  return { id, source: journal, recoveredLines, holdsRow: (row) => journal.holdsRow(row) }
}

/** Returns what the database is to record when the rows of a batch before index `to` are written. */
export function toJournalMark({ id }: MarkedJournal, batch: Batch, to: number): Mark | undefined {
  const row = rowAt(batch, to - 1)
  const lastRow = findId(row, 0, row.length, "row")
  return lastRow === undefined ? undefined : { of: "journal", values: [id, lastRow] }
}

interface ReplayOptions {
  readonly db: Database
  readonly journal: MarkedJournal | undefined
  readonly timeoutMs: number
  /** `rows` rows are not sent again. */
  onSkipped(rows: number): void
}

/**
 * Recognizes the rows that an earlier process wrote and did not acknowledge, because its cursor lagged or is missing.
 *
 * The id of a row is not enough for that: a row that was pruned is not in `llm_requests` any more, and inserting it again
 * would count it twice. So each batch of a journal records its last row in `majordomo_journals`, in the same statement.
 * If that row waits in the journal, then it and all rows before it were written. All others are new, however old they are.
 */
export class Replay {
  private readonly options: ReplayOptions
  /** The last row that was written. `undefined`: not known yet. `null`: no further row was written before. */
  private lastRow: string | null | undefined = undefined
  /** Rows of earlier processes that are still to be read. A row of this process is never skipped. */
  private recovered: number
  private skipped = 0

  constructor(options: ReplayOptions) {
    this.options = options
    this.recovered = options.journal?.recoveredLines ?? 0
    if (this.recovered === 0) this.lastRow = null
  }

  /** Returns how many rows at the beginning of a batch are in the database already. */
  async countWritten(source: BatchSource, batch: Batch): Promise<number> {
    if (this.lastRow === null || source !== this.options.journal?.source) return 0
    this.lastRow ??= await this.findLastRow()
    if (this.lastRow === null) return 0
    return Math.min(this.indexOfLastRow(batch) + 1 || batch.starts.length, this.recovered)
  }

  /** The batch is acknowledged. */
  settle(source: BatchSource, batch: Batch, written: number): void {
    if (this.lastRow === null || source !== this.options.journal?.source) return
    this.recovered -= batch.lines
    this.skipped += written
    if (this.recovered <= 0 || this.indexOfLastRow(batch) !== -1) {
      this.lastRow = null
      this.options.onSkipped(this.skipped)
    } else if (batch.starts.length < batch.lines) {
      this.lastRow = undefined // it may be among the lines that could not be read, so it is looked for again
    }
  }

  private async findLastRow(): Promise<string | null> {
    const { db, journal, timeoutMs } = this.options
    const { rows } = await db.query<{ last_row: string }>({
      text: "SELECT last_row FROM majordomo_journals WHERE journal = $1",
      values: [journal!.id],
      timeoutMs,
    })
    const id = rows[0]?.last_row
    return id !== undefined && (await journal!.holdsRow(id)) ? id : null
  }

  /** Returns -1 if the batch does not have that row. */
  private indexOfLastRow(batch: Batch): number {
    const start = Buffer.from(`{"id":"${this.lastRow}"`)
    return batch.starts.findIndex((_, i) => rowAt(batch, i).subarray(0, start.length).equals(start))
  }
}
