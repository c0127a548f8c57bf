import type { FoundRows } from "../../kit/log/recover.ts"
import { type Gap, isGap } from "./gaps.ts"

/** The counts of all rows of a journal directory. The rows that wait are accepted - written - rejected - dropped. */
export interface Totals {
  readonly accepted: number
  readonly written: number
  readonly rejected: number
  readonly dropped: number
}

/** The counters that a process stores beside its journal. */
export interface StoredTotals extends Totals {
  /** Rows that only its memory has. They are part of `accepted`. */
  readonly memory: number
  /** Running requests that neither a row nor an intent on the disk shows. They are not part of `accepted`. */
  readonly running: number
  /** Dropped rows that no row of the database counts yet. */
  readonly gaps: readonly Gap[]
}

/** The counters with which the next process starts. */
interface RestoredTotals {
  readonly totals: Totals
  /** Rows that the last process had only in memory, and requests that it had not finished. */
  readonly lostInMemory: number
  /** Rows that were on the disk, and are in no file any more. */
  readonly lostOnDisk: number
  readonly gaps: readonly Gap[]
}

/**
 * Compares what the last process stored with what the files hold. Rows that are nowhere are counted as dropped, so that
 * accepted = written + waiting + rejected + dropped over the life of the directory, whatever happened in between.
 */
export function restoreTotals(stored: unknown, found: FoundRows, newlyDamaged: number): RestoredTotals {
  const before = parseTotals(stored)
  const { written, rejected, dropped, running, gaps } = before
  const lostInMemory = before.memory + running
  const accepted = before.accepted + running + (stored === undefined ? found.waiting : found.afterEnd)
  const missing = accepted - lostInMemory - written - rejected - dropped - found.waiting
  const lostOnDisk = Math.max(missing, 0)
  // More rows than expected: without a cursor, rows that are written already wait again. Others were never counted.
  const surplus = Math.max(-missing, 0)
  const readAgain = found.isCursorFound ? 0 : Math.min(surplus, written)
  return {
    totals: {
      accepted: accepted + newlyDamaged + surplus - readAgain,
      written: written - readAgain,
      rejected: rejected + newlyDamaged,
      dropped: dropped + lostInMemory + lostOnDisk,
    },
    lostInMemory,
    lostOnDisk,
    gaps,
  }
}

/** Reads the numbers from the disk. What is missing or unusable is 0. */
export function parseTotals(stored: unknown): StoredTotals {
  const { accepted, written, rejected, dropped, memory, running, gaps } = (stored ?? {}) as Partial<
    Record<keyof StoredTotals, unknown>
  >
  return {
    accepted: toCount(accepted),
    written: toCount(written),
    rejected: toCount(rejected),
    dropped: toCount(dropped),
    memory: toCount(memory),
    running: toCount(running),
    gaps: Array.isArray(gaps) ? gaps.filter(isGap) : [],
  }
}

function toCount(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0
}
