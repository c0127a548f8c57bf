import { INVISIBLE, truncateText } from "../core/text.ts"

const MAX_NAME = 60

/** Returns a name of other people for a sentence: in one line, short, and without invisible characters. */
export function toName(text: string, max = MAX_NAME): string {
  const line = text.replace(/\s+/g, " ").replace(INVISIBLE, "\uFFFD").trim()
  if (line === "") return "(empty)"
  return line.length > max ? `${truncateText(line, max - 1)}…` : line
}

function withThousands(decimal: string): string {
  const [whole = "", fraction] = decimal.split(".")
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",")
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

/** Formats USD: cents for a dollar and more, and at least two significant digits below: `$1,204.33`, `$0.0012`. */
export function formatUsd(decimal: string): string {
  if (decimal.startsWith("-")) return `−${formatUsd(decimal.slice(1))}`
  const value = Number(decimal)
  if (value === 0) return "$0.00"
  if (value < 0.000001) return "<$0.000001"
  return `$${withThousands(value >= 0.1 ? roundTo(decimal, 2) : roundTo(decimal, significantDigits(value)))}`
}

/** Formats a usual amount of USD with two significant digits: `$6`, `$5.90`, `$1,200`. */
export function formatAbout(decimal: string): string {
  const value = Number(decimal)
  if (value < 0.005) return "nothing"
  if (value < 1) return `$${roundTo(decimal, Math.max(2, significantDigits(value)))}`
  if (value < 10) return `$${`${roundTo(decimal, 1)}0`.replace(/\.00$/, "")}`
  const step = 10 ** (Math.floor(Math.log10(value)) - 1)
  return `$${withThousands(String(Math.round(value / step) * step))}`
}

/** Formats a rate with all of its digits: `$0.075`. */
export function formatRate(decimal: string): string {
  const [whole = "", fraction = ""] = decimal.split(".")
  return `$${withThousands(whole)}${fraction === "" ? "" : `.${fraction.padEnd(2, "0")}`}`
}

/** The number of digits after the point that show two digits of a number below 1 which are not leading zeros. */
function significantDigits(value: number): number {
  return Math.min(9, 1 - Math.floor(Math.log10(value)))
}

/** Rounds half up, exactly, whatever the length of the decimal. */
function roundTo(decimal: string, digits: number): string {
  const [whole = "0", fraction = ""] = decimal.split(".")
  const kept = BigInt(whole + fraction.slice(0, digits).padEnd(digits, "0"))
  const rounded = (kept + ((fraction[digits] ?? "0") >= "5" ? 1n : 0n)).toString().padStart(digits + 1, "0")
  return `${rounded.slice(0, -digits)}.${rounded.slice(-digits)}`
}

/** Formats an amount with its unit: `$50.00` for USD, `1,200 tokens` for everything else. */
export function formatAmount(decimal: string, unit: string): string {
  if (unit === "USD") return formatUsd(decimal)
  const whole = /^\d+$/.test(decimal) ? decimal : String(Math.round(Number(decimal)))
  return `${withThousands(whole)} ${unit.replaceAll("_", " ")}`
}

export function formatCount(count: number): string {
  return withThousands(String(Math.round(count)))
}

/** Returns a number of things in words: `1 row`, `1,204 rows`. */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`
}

export function formatShare(part: number, whole: number): string {
  if (whole === 0 || part === 0) return "0%"
  const percent = (part / whole) * 100
  return percent < 0.1 ? "<0.1%" : `${percent.toFixed(percent < 10 ? 1 : 0)}%`
}

/** Formats the change of an amount: `+12%`, `−3%`, `×12` for ten times and more, `new` if there was nothing before. */
export function formatChange(now: number, before: number): string {
  if (now === before) return "0%"
  if (before === 0) return "new"
  const ratio = now / before
  if (ratio >= 10) return `×${formatCount(ratio)}`
  const percent = Math.round((ratio - 1) * 100)
  return percent === 0 ? "0%" : `${percent > 0 ? "+" : "−"}${Math.abs(percent)}%`
}

/** Says a change in a sentence: `12% more than the day before`. Undefined: there was nothing before, or no change. */
export function describeChange(now: number, before: number, period: string): string | undefined {
  if (before === 0) return undefined
  const ratio = now / before
  if (ratio >= 2.5) return `${ratio >= 10 ? Math.round(ratio) : ratio.toFixed(1)} times as much as ${period}`
  const percent = Math.round((ratio - 1) * 100)
  if (percent === 0) return `as much as ${period}`
  return `${Math.abs(percent)}% ${percent > 0 ? "more" : "less"} than ${period}`
}

/** Formats a duration in its largest unit: `45 s`, `12 min`, `3 h`, `2 days`. */
export function formatDuration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} days`
}

function format(at: string, timeZone: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...options }).format(new Date(at))
}

const DAY = { day: "numeric", month: "short", year: "numeric" } as const
const CLOCK = { hour: "2-digit", minute: "2-digit" } as const

/** Formats a moment: `28 Nov 2026, 14:00 UTC`. */
export function formatMoment(at: string, timeZone = "UTC"): string {
  return format(at, timeZone, { ...DAY, ...CLOCK, timeZoneName: "short" })
}

/** Formats a day with its weekday: `Sat, 28 Nov 2026`. */
export function formatDay(at: string, timeZone: string): string {
  return format(at, timeZone, { weekday: "short", ...DAY })
}

export function formatShortDay(at: string, timeZone: string): string {
  return format(at, timeZone, { day: "numeric", month: "short" })
}

export function formatMonth(at: string, timeZone: string): string {
  return format(at, timeZone, { month: "long", year: "numeric" })
}

export function formatClock(at: string, timeZone: string): string {
  return format(at, timeZone, CLOCK)
}

/** Joins names: `a`, `a and b`, `a, b and c`. */
export function joinWords(words: readonly string[]): string {
  if (words.length < 2) return words.join("")
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`
}
