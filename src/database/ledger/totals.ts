import type { FoundRows } from "../../kit/log/recover.ts"
import { type Gap, isGap } from "./gaps.ts"
import { isSentRows, type SentRows } from "./sent-rows.ts"

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
  /** Those of them that were sent to the database. */
  readonly sent: SentRows | undefined
  /** Those of them that a write is moving to the disk: the first rows after the end of the journal. */
  readonly moving: number
  /** Rows that an earlier process had sent from its memory. They are not part of `accepted`. */
  readonly unsettled: SentRows | undefined
  /** Running requests that neither a row nor an intent on the disk shows. They are not part of `accepted`. */
  readonly running: number
  /** Dropped rows that no row of the database counts yet. */
  readonly gaps: readonly Gap[]
}

/** The counters with which the next process starts. */
export interface RestoredTotals {
  readonly totals: Totals
  /** Rows that the last process had only in memory, and requests that it had not finished. */
  readonly lostInMemory: number
  /** Rows that the last process had sent from its memory. They count when the database says which of them it has. */
  readonly unsettled: SentRows | undefined
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
  const moved = Math.min(before.moving, found.afterEnd)
  const inMemory = before.memory - moved
  const sent = toSentIn(before.sent, moved, inMemory)
  const sentRows = sent === undefined ? 0 : sent.to - sent.from
  const lostInMemory = inMemory - sentRows + running
  const foundAfterEnd = stored === undefined ? found.waiting : found.afterEnd
  const accepted = before.accepted - sentRows + running + foundAfterEnd - moved
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
    unsettled: before.unsettled ?? sent,
    lostOnDisk,
    gaps,
  }
}

/** Returns the sent ones of the rows that are still in memory, after the oldest have moved to the disk. */
function toSentIn(sent: SentRows | undefined, moved: number, rows: number): SentRows | undefined {
  if (sent === undefined) return undefined
  const from = sent.from + moved
  const to = Math.min(sent.to, from + rows)
  return from < to ? { from, to } : undefined
}

/** Reads the numbers from the disk. What is missing or unusable is 0. */
export function parseTotals(stored: unknown): StoredTotals {
  const { accepted, written, rejected, dropped, memory, sent, moving, unsettled, running, gaps } = (stored ??
    {}) as Partial<Record<keyof StoredTotals, unknown>>
  return {
    accepted: toCount(accepted),
    written: toCount(written),
    rejected: toCount(rejected),
    dropped: toCount(dropped),
    memory: toCount(memory),
    sent: isSentRows(sent) ? sent : undefined,
    moving: toCount(moving),
    unsettled: isSentRows(unsettled) ? unsettled : undefined,
    running: toCount(running),
    gaps: Array.isArray(gaps) ? gaps.filter(isGap) : [],
  }
}

function toCount(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0
}
