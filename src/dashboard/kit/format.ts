/** Returns a plain decimal rounded to `digits` digits, half up, with thousands separators. Exact for any length. */
function roundDecimal(text: string, digits: number): string {
  const negative = text.startsWith("-")
  const [whole = "0", fraction = ""] = text.replace("-", "").split(".")
  const kept = BigInt(whole + fraction.slice(0, digits).padEnd(digits, "0"))
  const rounded = (kept + (Number(fraction[digits] ?? 0) >= 5 ? 1n : 0n)).toString().padStart(digits + 1, "0")
  const integer = rounded.slice(0, rounded.length - digits).replace(/\B(?=(\d{3})+$)/g, ",")
  const isZero = /^0*$/.test(rounded)
  return `${negative && !isZero ? "-" : ""}${integer}${digits === 0 ? "" : `.${rounded.slice(-digits)}`}`
}

/** Formats USD (a plain decimal) with `digits` decimals: `$1,234.50`. An amount that rounds to zero is `<$0.01`. */
export function formatMoney(usd: string | null, digits = 2): string {
  if (usd === null) return "—"
  const rounded = roundDecimal(usd, digits)
  if (/[1-9]/.test(usd) && !/[1-9]/.test(rounded)) return `<$${(10 ** -digits).toFixed(digits)}`
  return rounded.startsWith("-") ? `-$${rounded.slice(1)}` : `$${rounded}`
}

export function formatCount(count: number): string {
  return roundDecimal(String(Math.round(count)), 0)
}

/** Formats a count in at most four characters of digits: `8.1M`, `398k`, `560`. */
export function formatCompact(count: number): string {
  for (const [unit, size] of [
    ["B", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const) {
    if (count >= size * 0.9995) return `${(count / size).toFixed(count >= size * 99.95 ? 0 : 1)}${unit}`
  }
  return String(Math.round(count))
}

/** Formats a share from 0 to 1: `12.3%`. */
export function formatShare(share: number, digits = 1): string {
  if (share > 0 && share < 0.5 / 10 ** (digits + 2)) return `<${(10 ** -digits).toFixed(digits)}%`
  return `${(share * 100).toFixed(digits)}%`
}

/** Formats a duration: `940 ms`, `12.4 s`, `3 min 05 s`. */
export function formatDuration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "—"
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 99_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`
}

/**
 * Returns the change from `before` to `now` as a share; undefined where it has no meaning (nothing before, or not known).
 */
export function toChange(now: number | null, before: number | null | undefined): number | undefined {
  if (now === null || before === null || before === undefined || before === 0) return undefined
  return now / before - 1
}

/** Formats a change: `+12%`, `−3%`, `0%`. More than tenfold is `×12`. */
export function formatChange(change: number): string {
  if (change >= 9) return `×${Math.round(change + 1)}`
  const percent = Math.round(change * 100)
  return percent === 0 ? "0%" : `${percent > 0 ? "+" : "−"}${Math.abs(percent)}%`
}

const formats = new Map<string, Intl.DateTimeFormat>()

function formatIn(tz: string, options: Intl.DateTimeFormatOptions, at: Date): string {
  const key = `${tz} ${JSON.stringify(options)}`
  let format = formats.get(key)
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: tz, hourCycle: "h23" })
    formats.set(key, format)
  }
  return format.format(at)
}

const DAY = { day: "numeric", month: "short" } as const
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const

/** Formats a moment of today as its time, another one with its day, and one of another year with the year. */
export function formatMoment(iso: string, tz: string, now = Date.now()): string {
  const at = new Date(iso)
  const date = (moment: Date, options: Intl.DateTimeFormatOptions) => formatIn(tz, options, moment)
  const full = { ...DAY, year: "numeric" } as const
  const today = new Date(now)
  if (date(at, full) === date(today, full)) return date(at, TIME)
  if (date(at, { year: "numeric" }) === date(today, { year: "numeric" })) return `${date(at, DAY)}, ${date(at, TIME)}`
  return `${date(at, full)}, ${date(at, TIME)}`
}

/** Formats a moment completely: `28 Nov 2026, 17:06:53 UTC`. */
export function formatExactMoment(iso: string, tz: string): string {
  return formatIn(tz, { ...DAY, year: "numeric", ...TIME, timeZoneName: "short" }, new Date(iso))
}

export function formatHour(ms: number, tz: string): string {
  return formatIn(tz, { hour: "2-digit", minute: "2-digit" }, new Date(ms))
}

/** Formats a date such as `2026-11-28`: `28 Nov`. */
export function formatDay(day: string, options: Intl.DateTimeFormatOptions = DAY): string {
  return formatIn("UTC", options, new Date(`${day.slice(0, 10)}T00:00:00Z`))
}
