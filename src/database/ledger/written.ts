import { type Batch, type BatchSource, rowAt } from "../../kit/log/batch.ts"
import type { Store } from "./store.ts"

/** Who hears what becomes of rows. */
export interface WrittenListeners {
  /** The rows with these ids are in the database, or they never will be. */
  onWritten?(ids: Iterable<string>): void
  /** Of the rows that were appended before, none waits any more: also of those whose ids nobody knows any more. */
  onAllWritten?(): void
  /** The rows that earlier processes left in the journal do not wait any more. Called once. */
  onRecovered?(): void
}

/** Tells the listeners of a ledger what becomes of its rows. */
export interface WrittenReport {
  /** A batch was settled. `unknown`: lines without a row in it, because they were damaged or have vanished. */
  settled(source: BatchSource, batch: Batch, unknown: number): void
  /** A row was not kept. */
  lost(id: string): void
  /** All rows of earlier processes have been counted. */
  begun(): void
}

/** @param countWaiting returns how many of the rows that were appended before wait */
export function createWrittenReport(
  { journal }: Pick<Store, "journal">,
  { onWritten, onAllWritten, onRecovered }: WrittenListeners,
  countWaiting: () => number,
): WrittenReport {
  /** The rows of earlier processes that wait; undefined: this is reported, or not known yet. */
  let recovering: number | undefined
  let hasUnknown = false

  function reportRecovered(): void {
    if (recovering === undefined || recovering > 0) return
    recovering = undefined
    onRecovered?.()
  }

  return {
    settled(source, batch, unknown) {
      if (recovering !== undefined && source === journal) recovering -= batch.lines
      onWritten?.(readIds(batch))
      hasUnknown ||= unknown > 0
      if (hasUnknown && onAllWritten !== undefined && countWaiting() === 0) {
        hasUnknown = false
        onAllWritten()
      }
      reportRecovered()
    },
    lost(id) {
      // Later, because the caller of `append` may have something to do with the row first.
      if (onWritten !== undefined) queueMicrotask(() => onWritten([id]))
    },
    begun() {
      recovering = journal?.waitingLines ?? 0
      reportRecovered()
    },
  }
}

/** Each line begins with `{"id":"`. */
const ID = { start: 7, length: 36 }

function* readIds(batch: Batch): Iterable<string> {
  for (let i = 0; i < batch.starts.length; i++) {
    yield rowAt(batch, i).toString("latin1", ID.start, ID.start + ID.length)
  }
}
