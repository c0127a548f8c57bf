/** Calendar arithmetic in a time zone by name, with nothing but Intl. Moments are milliseconds since the epoch. */

const MINUTE = 60_000

/** The zone's canonical name, or undefined when it is none. `+02:00` is none: PostgreSQL reads its sign the other way. */
export function findZone(name: string): string | undefined {
  if (!/^[A-Za-z]/.test(name)) return undefined
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}

export interface WallTime {
  readonly year: number
  /** 1 to 12; day and month may run over: the 32nd is the 1st of the next. */
  readonly month: number
  readonly day: number
  readonly hour?: number
  readonly minute?: number
}

/** What the clock on the wall shows, as milliseconds of a clock that knows no zones. */
export function toWall(at: number, tz: string): number {
  return createWallClock(tz)(at)
}

/** The same for many moments: a formatter costs a hundred times what its use does. */
export function createWallClock(tz: string): (at: number) => number {
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

/** The moment at which the wall shows a time: the earlier of two, or the first after a gap. */
export function fromWall({ year, month, day, hour = 0, minute = 0 }: WallTime, tz: string): number {
  const wanted = Date.UTC(year, month - 1, day, hour, minute)
  const offsets = [wanted - 24 * 60 * MINUTE, wanted + 24 * 60 * MINUTE].map((at) => toWall(at, tz) - at)
  const fitting = offsets.map((offset) => wanted - offset).filter((at) => toWall(at, tz) === wanted)
  // In a gap neither fits; by the offset from before it, the wall shows a time just after it.
  return fitting.length > 0 ? Math.min(...fitting) : wanted - offsets[0]!
}

/** The date on the wall. */
export function toDate(
  at: number,
  tz: string,
): { readonly year: number; readonly month: number; readonly day: number } {
  const wall = new Date(toWall(at, tz))
  return { year: wall.getUTCFullYear(), month: wall.getUTCMonth() + 1, day: wall.getUTCDate() }
}

/** `2026-10-21T00:00:00+01:00` */
export function toOffsetIso(at: number, tz: string): string {
  const whole = Math.floor(at / 1000) * 1000
  const wall = toWall(whole, tz)
  const offset = Math.round((wall - whole) / MINUTE)
  const two = (n: number) => String(Math.trunc(n)).padStart(2, "0")
  const sign = offset < 0 ? "-" : "+"
  return `${new Date(wall).toISOString().slice(0, 19)}${sign}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`
}
