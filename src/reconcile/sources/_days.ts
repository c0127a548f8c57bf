import type { DayRange } from "./_source.ts"

const DAY_MS = 86_400_000

/** Returns the start of a UTC day in milliseconds since the epoch. */
export function startOf(day: string): number {
  return Date.parse(`${day}T00:00:00Z`)
}

/** Returns the UTC day that contains a time. */
export function dayAt(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

export function addDays(day: string, days: number): string {
  return dayAt(startOf(day) + days * DAY_MS)
}

/** Splits a range into ranges of at most `maxDays`. Days after the current one are left out, because they have no usage. */
export function splitRange({ since, until }: DayRange, maxDays: number, now: number): DayRange[] {
  const end = earlier(until, addDays(dayAt(now), 1))
  const ranges: DayRange[] = []
  for (let start = since; start < end; start = addDays(start, maxDays)) {
    ranges.push({ since: start, until: earlier(addDays(start, maxDays), end) })
  }
  return ranges
}

/** Returns the end of a range in milliseconds since the epoch: the start of its last day's successor, but at most now. */
export function endOf({ until }: DayRange, now: number): number {
  return Math.min(startOf(until), now)
}

export function isWithin(day: string, { since, until }: DayRange): boolean {
  return day >= since && day < until
}

/** Returns the earlier of two days. */
export function earlier(a: string, b: string): string {
  return [a, b].sort()[0]!
}

/** Returns the later of two days. */
export function later(a: string, b: string): string {
  return [a, b].sort()[1]!
}
