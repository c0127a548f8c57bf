import type { DigestTime } from "../../core/notification-settings.ts"
import { parseMoment } from "../../reports/index.ts"

/**
 * Returns the last time at or before `now` at which a digest was due, in milliseconds since the epoch: each day, each Monday or
 * the first day of each month, at the time of day in the time zone.
 */
export function findLastDue(
  { every, at }: DigestTime,
  { now, tz }: { readonly now: number; readonly tz: string },
): number {
  const present = startOf(every, now, tz)
  const due = atTime(present, at, tz)
  return due <= now ? due : atTime(startOf(every, present - 1, tz), at, tz)
}

/** Returns the start of the day, week or month of a time. */
function startOf(unit: DigestTime["every"], now: number, tz: string): number {
  return parseMoment(unit === "day" ? "today" : unit, "since", { now, tz })!
}

/** Returns the time of day on the day that begins at `start`. */
function atTime(start: number, at: string, tz: string): number {
  const day = new Intl.DateTimeFormat("en-CA", { timeZone: tz, dateStyle: "short" }).format(start)
  return parseMoment(`${day}T${at}`, "since", { now: start, tz })!
}
