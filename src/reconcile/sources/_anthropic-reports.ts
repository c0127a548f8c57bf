import type { BillLine } from "../../core/reconciliation.ts"
import { readAnalytics } from "./_anthropic-analytics.ts"
import { readLegacy } from "./_anthropic-legacy.ts"
import { addDays, dayAt } from "./_days.ts"
import type { Reading } from "./_source.ts"
import { SourceError } from "./source-error.ts"

/** The newer reports begin on this day, and go back a year. */
const FIRST_DAY = "2026-01-01"
const MAX_AGE_DAYS = 365

const UNAVAILABLE =
  /not (?:available|enabled|supported)|unavailable|anthropic-beta|not have access to this (?:feature|beta)/i

/** Reads the newer reports, or the legacy ones where the newer do not exist for the account or the days. */
export async function readAnthropic(
  reading: Reading,
): Promise<{ readonly source: "api" | "legacy-api"; readonly lines: BillLine[] }> {
  const { since } = reading.range
  if (since >= FIRST_DAY && since > addDays(dayAt(reading.now), -MAX_AGE_DAYS)) {
    try {
      return { source: "api", lines: (await readAnalytics(reading)).toLines() }
    } catch (error) {
      if (!isUnavailable(error)) throw error
    }
  }
  return { source: "legacy-api", lines: (await readLegacy(reading)).toLines() }
}

/** Returns whether the newer reports do not exist for this account. */
function isUnavailable(error: unknown): boolean {
  if (!(error instanceof SourceError)) return false
  return error.status === 404 || ((error.status === 400 || error.status === 403) && UNAVAILABLE.test(error.message))
}
