import { type Batch, type BatchSource, rowAt } from "../../kit/log/batch.ts"
import { findId } from "../../kit/log/line.ts"
import type { Database } from "../_database.ts"
import type { Mark } from "./insert.ts"
import type { SentPositions, SentRows } from "./sent-rows.ts"

/** The rows that only the memory of this process has. */
export interface MarkedMemory {
  readonly source: BatchSource
  readonly positions: SentPositions
  /** Returns whether the row outlives this process. Such a row has no position. */
  isGuarded(id: string): boolean
}

export interface MemorySettlementOptions {
  readonly db: Database
  readonly memory: MarkedMemory
  /** The id of the journal beside the memory. Without one, the database records nothing. */
  readonly journal: string | undefined
  /** The rows of the last process that the database may have. */
  readonly unsettled: SentRows | undefined
  readonly timeoutMs: number
  /** It is known now how many rows of the last process were written, and how many were lost with it. */
  onSettled(written: number, lost: number): void
  /** Stores the counters. */
  save(): void
}

/**
 * Settles the rows that a process had sent from its memory when it was killed. It could not count them any more, but each
 * batch from the memory records its end in `majordomo_journals.from_memory`, in the same statement. So the database knows
 * how many of them were written.
 */
export class MemorySettlement {
  /** The rows of the last process, until the database has answered. */
  unsettled: SentRows | undefined
  private readonly options: MemorySettlementOptions

  constructor(options: MemorySettlementOptions) {
    this.options = options
    this.unsettled = options.unsettled
  }

  isSourceOf(source: BatchSource): boolean {
    return source === this.options.memory.source
  }

  /** Asks the database which rows of the last process it has. @throws the error of the database */
  async settle(): Promise<void> {
    const { unsettled, options } = this
    const position = await this.readPosition()
    options.memory.positions.begin(Math.max(position, unsettled?.to ?? 0))
    if (unsettled === undefined) return
    const rows = unsettled.to - unsettled.from
    const written = Math.min(Math.max(position - unsettled.from, 0), rows)
    this.unsettled = undefined
    options.onSettled(written, rows - written)
  }

  /** A batch is about to be sent. Returns what the database is to record when the rows before an index are written. */
  async prepare(batch: Batch): Promise<(to: number) => Mark | undefined> {
    const { journal, memory, save } = this.options
    if (journal === undefined) return () => undefined
    if (!memory.positions.areKnown) await this.settle()
    const from = memory.positions.send(this.countPositions(batch, batch.starts.length))
    save()
    return (to) => ({ of: "memory", values: [journal, String(from + this.countPositions(batch, to))] })
  }

  private countPositions(batch: Batch, to: number): number {
    const isCounted = (_: number, index: number) => {
      const row = rowAt(batch, index)
      return index < to && !this.options.memory.isGuarded(findId(row, 0, row.length, "row") ?? "")
    }
    return batch.starts.filter(isCounted).length
  }

  private async readPosition(): Promise<number> {
    const { db, journal, timeoutMs } = this.options
    if (journal === undefined) return 0
    const { rows } = await db.query<{ position: string }>({
      text: "SELECT from_memory AS position FROM majordomo_journals WHERE journal = $1",
      values: [journal],
      timeoutMs,
    })
    return Number(rows[0]?.position ?? 0)
  }
}
