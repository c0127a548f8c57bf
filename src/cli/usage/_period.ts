import { type Period, toOffsetIso } from "../../operations/usage/json.ts"

/** The edges of the period of a report: ISO 8601 with the offset of the time zone. */
interface Bounds {
  readonly since: string
  readonly until: string
}

/** Returns the first line of a report: its period and its time zone, and below it the period that it is compared with. */
export function toPeriodLine(report: Bounds & { readonly tz: string; readonly compared_with?: Bounds }): string {
  const compared = report.compared_with
  const against = compared === undefined ? "" : `compared with ${describePeriod(compared)}\n`
  return `${describePeriod(report)} (${report.tz})\n${against}`
}

/** Returns the days of a period, such as `2026-10-01 to 2026-10-31`; its moments if it does not consist of whole days. */
export function describePeriod({ since, until }: Bounds): string {
  if ([since, until].every((edge) => edge.slice(11, 19) === "00:00:00")) {
    const first = since.slice(0, 10)
    const last = new Date(Date.parse(`${until.slice(0, 10)}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10)
    return first === last ? first : `${first} to ${last}`
  }
  const short = (edge: string) => edge.slice(0, 16).replace("T", " ")
  return `${short(since)} to ${short(until)}`
}

/** Returns the same line for a list that does not say its period itself. */
export function toAskedPeriodLine({ since, until, tz }: Period): string {
  return toPeriodLine({ since: toOffsetIso(since, tz), until: toOffsetIso(until ?? Date.now(), tz), tz })
}
