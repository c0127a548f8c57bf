import type { Span } from "./filters.ts"

/** A stretch of the sums of days, or of the weeks that they were added to. */
export interface Piece {
  readonly from: "days" | "weeks"
  /** Of weeks: by when they begin. */
  readonly span: Span
  readonly sign: "+" | "-"
}

const DAY_MS = 86_400_000
const WEEK_MS = 7 * DAY_MS
/** 1970-01-05, a Monday. */
const MONDAY_MS = 4 * DAY_MS

/**
 * A span of whole days as weeks, and days before and after them: added, or taken away where the week's other days are
 * fewer. Weeks hold the days before `foldedBefore`, so the last of them may be a part of one. Exact, for a week is the sum
 * of its days, value by value.
 */
export function toPieces({ since, until }: Span, foldedBefore: number | undefined): readonly Piece[] {
  const alone: Piece[] = [{ from: "days", span: { since, until }, sign: "+" }]
  if (since === undefined || foldedBefore === undefined) return alone
  const first = toMonday(since)
  const isOpen = until === undefined || until >= foldedBefore
  const next = isOpen ? foldedBefore : toMonday(until)
  const end = Math.min(next, foldedBefore)
  if (first >= end || since > end) return alone
  const days = (from: number, to: number | undefined, sign: Piece["sign"]): Piece[] =>
    from === to ? [] : [{ from: "days", span: { since: from, until: to }, sign }]
  return [
    { from: "weeks", span: { since: first, until: next }, sign: "+" },
    ...(first > since ? days(since, first, "+") : days(first, since, "-")),
    ...(until === undefined || until > end ? days(end, until, "+") : days(until, end, "-")),
  ]
}

/** The nearest of the Mondays. */
function toMonday(at: number): number {
  return Math.round((at - MONDAY_MS) / WEEK_MS) * WEEK_MS + MONDAY_MS
}
