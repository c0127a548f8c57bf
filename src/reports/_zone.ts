/** Calendar arithmetic in a named time zone, based only on Intl. Moments are milliseconds since the epoch. */

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** A local date and time without a time zone. */
interface WallTime {
  readonly year: number
  /** 1 to 12. Month and day may overflow: the 32nd of a month is the 1st of the next one. */
  readonly month: number
  readonly day: number
  readonly hour?: number
  readonly minute?: number
}

/** Returns the local time of a moment, as milliseconds on a clock without time zones. */
function toWall(at: number, tz: string): number {
  return findWallClock(tz)(at)
}

type WallClock = (at: number) => number

/** By time zone, of which there are some hundreds: creating a formatter costs a hundred times as much as using it. */
const CLOCKS = new Map<string, WallClock>()

/** Returns `toWall` for the moments of one zone. */
export function findWallClock(tz: string): WallClock {
  const clock = CLOCKS.get(tz) ?? createClock(tz)
  CLOCKS.set(tz, clock)
  return clock
}

function createClock(tz: string): WallClock {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: tz,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  })
  return (at) => {
    const part: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(at)) part[type] = Number(value)
    return Date.UTC(part["year"]!, part["month"]! - 1, part["day"]!, part["hour"]!, part["minute"]!, part["second"]!)
  }
}

/**
 * Returns the moment at which a zone has a local time. If the local time occurs twice, it is the earlier moment. If the
 * clock skips it, it is the first moment after the gap.
 */
export function fromWall({ year, month, day, hour = 0, minute = 0 }: WallTime, tz: string): number {
  const wanted = Date.UTC(year, month - 1, day, hour, minute)
  const offsets = [wanted - DAY_MS, wanted + DAY_MS].map((at) => toWall(at, tz) - at)
  const fitting = offsets.map((offset) => wanted - offset).filter((at) => toWall(at, tz) === wanted)
  // In a gap neither offset fits. The offset from before the gap then gives a moment just after it.
  return fitting.length > 0 ? Math.min(...fitting) : wanted - offsets[0]!
}

/** Returns the local date of a moment. */
export function toDate(
  at: number,
  tz: string,
): { readonly year: number; readonly month: number; readonly day: number } {
  const wall = new Date(toWall(at, tz))
  return { year: wall.getUTCFullYear(), month: wall.getUTCMonth() + 1, day: wall.getUTCDate() }
}

/** Formats a moment as local time with its offset: `2026-10-21T00:00:00+01:00`. */
export function toOffsetIso(at: number, tz: string): string {
  const whole = Math.floor(at / 1000) * 1000
  const wall = toWall(whole, tz)
  const offset = Math.round((wall - whole) / MINUTE_MS)
  const two = (n: number) => String(Math.trunc(n)).padStart(2, "0")
  const sign = offset < 0 ? "-" : "+"
  return `${new Date(wall).toISOString().slice(0, 19)}${sign}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`
}
