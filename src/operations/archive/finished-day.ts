/** Returns the last midnight (UTC, as a day: `2026-11-28`) before which days are finished: they ended `settleMs` ago. */
export function toFinishedDay(now: number, settleMs: number): string {
  return new Date(now - settleMs).toISOString().slice(0, 10)
}
