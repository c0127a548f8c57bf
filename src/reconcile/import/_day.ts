/** How a date such as `03/11/2026` is written. */
export type DateOrder = "month-first" | "day-first"

const DATE = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})/
const COMPACT = /^(\d{4})(\d{2})(\d{2})$/
const SLASHES = /^(\d{1,2})\/(\d{1,2})\/(\d{4})/
const DOTS = /^(\d{1,2})\.(\d{1,2})\.(\d{4})/
const TIME = /^[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(?:(Z|UTC|GMT)|([-+])(\d{2}):?(\d{2})?)?$/i
const DAY_MS = 86_400_000

/** Returns the order that a date with slashes must have been written in; undefined if it can be read both ways. */
export function findDateOrder(text: string): DateOrder | undefined {
  const [, first, second] = SLASHES.exec(text) ?? []
  if (Number(first) > 12) return "day-first"
  return Number(second) > 12 ? "month-first" : undefined
}

/** Returns whether the text is a month without a day, such as `2026-11`, `202611` or `November 2026`. */
export function isMonth(text: string): boolean {
  return /^\d{4}[-/]?(?:0?[1-9]|1[0-2])$/.test(text) || /^[A-Za-z]{3,9}\.?[ -]\d{4}$/.test(text)
}

/**
 * Parses a date or a time and returns milliseconds since the epoch. A time with an offset is converted; one without is in
 * UTC. Seconds and milliseconds since the epoch are read too. Undefined for anything else, and for dates that do not exist.
 *
 * @param order how dates with slashes are written; without it they give undefined
 */
export function parseTime(text: string, order: DateOrder | undefined): number | undefined {
  if (/^\d{10}$/.test(text)) return Number(text) * 1000
  if (/^\d{13}$/.test(text)) return Number(text)
  const compact = COMPACT.exec(text)
  if (compact !== null) return toDay(compact[1], compact[2], compact[3])
  const iso = DATE.exec(text)
  if (iso !== null) return addTime(toDay(iso[1], iso[2], iso[3]), text.slice(iso[0].length))
  const dots = DOTS.exec(text)
  if (dots !== null) return addTime(toDay(dots[3], dots[2], dots[1]), text.slice(dots[0].length))
  const slashes = SLASHES.exec(text)
  if (slashes === null || order === undefined) return undefined
  const [month, day] = order === "month-first" ? [slashes[1], slashes[2]] : [slashes[2], slashes[1]]
  return addTime(toDay(slashes[3], month, day), text.slice(slashes[0].length))
}

/** Formats the UTC day of a time, such as `2026-11-01`. */
export function toDayText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** Returns the day after a UTC day. */
export function nextDay(day: string): string {
  return toDayText(Date.parse(day) + DAY_MS)
}

function toDay(year?: string, month?: string, day?: string): number | undefined {
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day))
  const date = new Date(ms)
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day) ? ms : undefined
}

function addTime(day: number | undefined, text: string): number | undefined {
  if (day === undefined || text === "") return day
  const time = TIME.exec(text)
  if (time === null) return undefined
  const [, hours, minutes, seconds = "0", , sign, offsetHours = "0", offsetMinutes = "0"] = time
  if (Number(hours) > 24 || Number(minutes) > 59) return undefined
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === "-" ? -1 : 1)
  return day + ((Number(hours) * 60 + Number(minutes) - offset) * 60 + Number(seconds)) * 1000
}
