import type { Span } from "./filters.ts"

/** A part of a span that is read from daily or weekly rollups, and added or subtracted. */
export interface Piece {
  readonly from: "days" | "weeks"
  /** The interval in which the days or weeks begin. */
  readonly span: Span
  readonly sign: "+" | "-"
}

const DAY_MS = 86_400_000
const WEEK_MS = 7 * DAY_MS
/** 1970-01-05, a Monday. */
const MONDAY_MS = 4 * DAY_MS

/**
 * Splits a span of whole days into whole weeks, plus days before and after them. Days are added, or they are subtracted
 * where a week has fewer days outside of the span than inside. Weekly rollups contain the days before `foldedBefore`, so the
 * last one can be incomplete. The result is exact, because a week is the sum of its days, value by value.
 */
export function toPieces({ since, until }: Span, foldedBefore: number | undefined): readonly Piece[] {
  const daysOnly: Piece[] = [{ from: "days", span: { since, until }, sign: "+" }]
  if (since === undefined || foldedBefore === undefined) return daysOnly
  const first = toMonday(since)
  const isOpen = until === undefined || until >= foldedBefore
  const next = isOpen ? foldedBefore : toMonday(until)
  const end = Math.min(next, foldedBefore)
  if (first >= end || since > end) return daysOnly
  const days = (from: number, to: number | undefined, sign: Piece["sign"]): Piece[] =>
    from === to ? [] : [{ from: "days", span: { since: from, until: to }, sign }]
  return [
    { from: "weeks", span: { since: first, until: next }, sign: "+" },
    ...(first > since ? days(since, first, "+") : days(first, since, "-")),
    ...(until === undefined || until > end ? days(end, until, "+") : days(until, end, "-")),
  ]
}

/** Returns the nearest Monday. */
function toMonday(at: number): number {
  return Math.round((at - MONDAY_MS) / WEEK_MS) * WEEK_MS + MONDAY_MS
}
