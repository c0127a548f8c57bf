import { PERIODS } from "../../operations/usage/question.ts"
import type { Options } from "../_command.ts"

/** The options that choose the UTC days of a bill. */
export const DAYS_OPTIONS = {
  since: {
    type: "string",
    valueHint: "WHEN",
    description: "from this day on, in UTC: 7d, 2026-11-01, today or month (default: the last 30 days)",
  },
  until: { type: "string", valueHint: "WHEN", description: "up to and with this day" },
  period: { type: "string", valueHint: "NAME", description: `a calendar period: ${PERIODS}` },
  month: { type: "string", valueHint: "MONTH", description: "a calendar month: 2026-10, this-month or last-month" },
} as const satisfies Options

export const PROVIDER_OPTION = {
  provider: { type: "string", valueHint: "NAME", description: "only this provider" },
} as const satisfies Options
