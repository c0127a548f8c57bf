import type { Days } from "../../database/reconciliations.ts"
import { InputError } from "../input-error.ts"
import { parsePeriod } from "../usage/question.ts"

const DAY_MS = 86_400_000

interface DaysInput {
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** A calendar month, such as `2026-11`. */
  readonly month?: string | undefined
}

/**
 * Returns the UTC days that a person's words mean: whole days, because bills have no smaller ones. Default: the last 30 days.
 *
 * @param now the current time in ms since the epoch
 * @throws InputError for `since`, `until` or `month`
 */
export function parseDays({ since, until, month }: DaysInput, now: number): Days {
  if (month !== undefined) {
    if (since !== undefined || until !== undefined) throw new InputError("month", "expected month, or since and until")
    return parseMonth(month)
  }
  const period = parsePeriod({ since: since ?? "30d", until, tz: "UTC" }, now)
  const lastDay = Math.ceil((period.until ?? now) / DAY_MS) * DAY_MS
  return { since: toDay(period.since), until: toDay(lastDay) }
}

function parseMonth(month: string): Days {
  const start = new Date(`${month}-01T00:00:00Z`)
  if (!/^\d{4}-\d\d$/.test(month) || Number.isNaN(start.getTime())) {
    throw new InputError("month", `expected a month such as 2026-11, got ${JSON.stringify(month)}`)
  }
  const end = new Date(start)
  end.setUTCMonth(end.getUTCMonth() + 1)
  return { since: toDay(start.getTime()), until: toDay(end.getTime()) }
}

/** Returns the UTC day of a time in ms since the epoch: `2026-11-01`. */
export function toDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}
