const HOUR_MS = 3_600_000

/** Returns the local hour of each hour of a series, counted from the year 1970, so that one week later is 168 more. */
export function toWallHours(start: number, length: number, timeZone: string): Int32Array {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
  })
  return Int32Array.from({ length }, (_, i) => {
    const part: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(start + i * HOUR_MS)) part[type] = Number(value)
    return Date.UTC(part["year"]!, part["month"]! - 1, part["day"]!, part["hour"]!) / HOUR_MS
  })
}

/**
 * Returns a function that finds the hour of a series by its local hour; undefined outside of the series and for an hour that
 * the clock skips. Of an hour that occurs twice, it finds the first.
 */
export function indexWallHours(wall: Int32Array): (hour: number) => number | undefined {
  const first = wall[0] ?? 0
  const index = new Map<number, number>()
  wall.forEach((hour, i) => {
    if (!index.has(hour - first)) index.set(hour - first, i)
  })
  return (hour) => index.get(hour - first)
}
