import type { Totals } from "./totals.ts"

/** Rows since this ledger was opened. At every moment, accepted = written + waiting + rejected + dropped. */
export interface LedgerStats {
  /** Handed over, including the rows that earlier processes left. */
  readonly accepted: number
  readonly written: number
  readonly waiting: number
  /** Rejected by the database in every form (see `rejected.jsonl`), or damaged on the disk (see `damaged.jsonl`). */
  readonly rejected: number
  /** Neither the journal nor memory could keep them. */
  readonly dropped: number
  readonly journalBytes: number
  /** Batches that were settled. */
  readonly batches: number
  /** When the last batch was settled, in ms since the epoch. */
  readonly lastWrittenAt: number | undefined
  /** Why the last batch failed; `undefined` after one was written. */
  readonly lastError: string | undefined
  /** Since when rows wait and none could be written, in ms since the epoch; `undefined` after one was written. */
  readonly stalledSince: number | undefined
}

/** Counts what becomes of rows. What waits is not counted: it is what the journal and the memory hold. */
export class Accounts {
  /** The counts of the directory's rows from before this ledger was opened. */
  private before: Totals = { accepted: 0, written: 0, rejected: 0, dropped: 0 }
  accepted = 0
  written = 0
  rejected = 0
  dropped = 0
  /** Requests that have an intent on the disk instead of a row, and rows of which only the database knows what became. */
  deferred = 0
  batches = 0
  lastWrittenAt: number | undefined = undefined
  lastError: string | undefined = undefined
  stalledSince: number | undefined = undefined

  /** A batch of `lines` rows was written, all but `rejected` and `dropped` of them. */
  settle(lines: number, { rejected, dropped, at }: { rejected: number; dropped: number; at: number }): void {
    this.written += lines - rejected - dropped
    this.rejected += rejected
    this.dropped += dropped
    this.batches++
    this.lastWrittenAt = at
    this.lastError = undefined
    this.stalledSince = undefined
  }

  /** Begins with the rows that earlier processes left: those that wait are counted here, all others before. */
  begin(totals: Totals, { waiting, rejected, dropped }: { waiting: number; rejected: number; dropped: number }): void {
    this.accepted = waiting + rejected + dropped
    this.rejected = rejected
    this.dropped = dropped
    this.before = {
      accepted: totals.accepted - this.accepted,
      written: totals.written,
      rejected: totals.rejected - rejected,
      dropped: totals.dropped - dropped,
    }
  }

  drop(): void {
    this.accepted++
    this.dropped++
  }

  /** These rows are not kept, but what the disk has lets the next process write or count them. It accepts them then. */
  defer(rows: number): void {
    this.accepted -= rows
    this.deferred += rows
  }

  /** It is known now what became of rows that an earlier process had sent from its memory. */
  settleMemory(written: number, lost: number): void {
    this.accepted += written + lost
    this.written += written
    this.dropped += lost
  }

  /** The counts of the rows over the life of the directory. */
  toTotals(): Totals {
    const { before, accepted, written, rejected, dropped } = this
    return {
      accepted: before.accepted + accepted,
      written: before.written + written,
      rejected: before.rejected + rejected,
      dropped: before.dropped + dropped,
    }
  }

  toStats(waiting: number, journalBytes: number): LedgerStats {
    const { accepted, written, rejected, dropped, batches, lastWrittenAt, lastError, stalledSince } = this
    const rows = { accepted, written, waiting, rejected, dropped }
    return { ...rows, journalBytes, batches, lastWrittenAt, lastError, stalledSince }
  }
}

/** Adds the numbers of several ledgers. */
export function addLedgerStats(all: readonly LedgerStats[]): LedgerStats {
  const sum = (pick: (stats: LedgerStats) => number) => all.reduce((total, stats) => total + pick(stats), 0)
  return {
    accepted: sum((stats) => stats.accepted),
    written: sum((stats) => stats.written),
    waiting: sum((stats) => stats.waiting),
    rejected: sum((stats) => stats.rejected),
    dropped: sum((stats) => stats.dropped),
    journalBytes: sum((stats) => stats.journalBytes),
    batches: sum((stats) => stats.batches),
    lastWrittenAt: all.reduce<number | undefined>((last, { lastWrittenAt }) => later(last, lastWrittenAt), undefined),
    lastError: all.find(({ lastError }) => lastError !== undefined)?.lastError,
    stalledSince: all.reduce<number | undefined>((first, { stalledSince }) => earlier(first, stalledSince), undefined),
  }
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a
}
