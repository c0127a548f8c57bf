import type { Days } from "../../database/reconciliations.ts"
import { parsePeriod } from "../usage/question.ts"

const DAY_MS = 86_400_000

interface DaysInput {
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** A calendar period by its name, such as `last-month` or `2026-Q3`. */
  readonly period?: string | undefined
  /** A calendar month, such as `2026-11`. */
  readonly month?: string | undefined
}

/**
 * Returns the UTC days that a person's words mean: whole days, because bills have no smaller ones. Default: the last 30 days.
 *
 * @param now the current time in ms since the epoch
 * @throws InputError for `since`, `until`, `period` or `month`
 */
export function parseDays(input: DaysInput, now: number): Days {
  const period = parsePeriod({ ...input, tz: "UTC" }, now)
  const lastDay = Math.ceil((period.until ?? now) / DAY_MS) * DAY_MS
  return { since: toDay(period.since), until: toDay(lastDay) }
}

/** Returns the UTC day of a time in ms since the epoch: `2026-11-01`. */
export function toDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}
