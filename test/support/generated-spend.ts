import { createRandom } from "./random-usage.ts"

/** A year of hourly spend with anomalies in it. */
export interface SpendYear {
  readonly start: number
  readonly timeZone: string
  readonly costs: readonly number[]
  readonly planted: readonly Planted[]
}

export interface Planted {
  /** The first hour, and the one after the last. */
  readonly from: number
  readonly until: number
  /** How many times the usual cost. */
  readonly size: number
}

interface Shape {
  readonly timeZone: string
  /** Returns the usual USD of an hour. */
  usual(hour: Hour, random: () => number): number
  /** The standard deviation of the logarithm of an hour's cost, and of a day's. */
  readonly noise: readonly [hour: number, day: number]
}

interface Hour {
  /** Days since the start of the year, and local hour and weekday (0 is Sunday). */
  readonly day: number
  readonly hour: number
  readonly weekday: number
  /** Whether nobody works. */
  readonly isHoliday: boolean
}

const WORK = [0, 0, 0, 0, 0, 0, 0.02, 0.1, 0.4, 0.8, 1, 1, 0.7, 0.9, 1, 1, 0.9, 0.6, 0.3, 0.15, 0.1, 0.05, 0.02, 0]

const office = ({ hour, weekday, isHoliday }: Hour): number =>
  weekday === 0 || weekday === 6 || isHoliday ? 0.05 * WORK[hour]! + 0.02 : WORK[hour]! + 0.03

const product = ({ hour, weekday }: Hour): number =>
  (1 + 0.6 * Math.sin(((hour - 8) / 24) * 2 * Math.PI)) * (weekday === 0 || weekday === 6 ? 0.75 : 1)

/** The shapes of spend: who causes it decides when it is there. */
export const SHAPES: Readonly<Record<string, Shape>> = {
  "office hours": { timeZone: "America/New_York", noise: [0.2, 0.15], usual: (at) => 12 * office(at) },
  "product, all day": { timeZone: "Europe/Berlin", noise: [0.12, 0.08], usual: (at) => 5 * product(at) },
  "growth 10x per year": {
    timeZone: "Europe/Berlin",
    noise: [0.2, 0.12],
    usual: (at) => 2 * product(at) * 10 ** (at.day / 365),
  },
  "office, growth 10x": {
    timeZone: "Asia/Kolkata",
    noise: [0.2, 0.15],
    usual: (at) => 6 * office(at) * 10 ** (at.day / 365),
  },
  "weekly batch": {
    timeZone: "UTC",
    noise: [0.15, 0.1],
    usual: ({ hour, weekday, day }) =>
      0.6 + (weekday === 0 && hour >= 2 + (day % 3 === 0 ? 1 : 0) && hour < 5 ? 30 : 0),
  },
  "sparse use": {
    timeZone: "Europe/Lisbon",
    noise: [0.1, 0],
    usual: (_, random) => (random() < 0.03 ? 3 * Math.exp(0.7 * gauss(random)) : 0),
  },
  "level change": {
    timeZone: "Europe/Berlin",
    noise: [0.15, 0.1],
    usual: (at) => 3 * product(at) * (at.day < 140 ? 1 : at.day < 250 ? 1.7 : 0.6),
  },
  campaign: {
    timeZone: "America/Sao_Paulo",
    noise: [0.15, 0.1],
    usual: (at) => 4 * product(at) * (at.day >= 200 && at.day < 212 ? 1.7 : 1),
  },
  noisy: { timeZone: "UTC", noise: [0.3, 0.15], usual: (at) => 8 * product(at) },
}

const START = Date.parse("2026-01-01T00:00:00Z")
const HOURS = 365 * 24
const LENGTHS = [1, 3, 8, 30]
const SIZES = [3, 4, 6, 10, 25]

/** Generates a year. The same seed gives the same year. */
export function generateYear(name: string, seed: number): SpendYear {
  const shape = SHAPES[name]!
  const random = createRandom(seed)
  const hours = toHours(shape.timeZone, random)
  const usual = hours.map((hour) => shape.usual(hour, random))
  const dayNoise = Array.from({ length: 367 }, () => Math.exp(shape.noise[1] * gauss(random)))
  const costs = usual.map((cost, i) => cost * Math.exp(shape.noise[0] * gauss(random)) * dayNoise[hours[i]!.day]!)
  const planted: Planted[] = []
  for (let at = 35 * 24; ; at += Math.floor((8 + 12 * random()) * 24)) {
    const length = LENGTHS[Math.floor(random() * LENGTHS.length)]!
    const size = SIZES[Math.floor(random() * SIZES.length)]!
    const from = at + Math.floor(random() * 24)
    if (from + length + 48 >= HOURS) break
    // An anomaly that hardly costs anything is none: the first hour must be above the floor.
    const basis = Math.max(usual[from]!, 0)
    if (basis * (size - 1) < 2) continue
    for (let i = from; i < from + length; i++) costs[i]! += (size - 1) * usual[i]! * Math.exp(0.1 * gauss(random))
    planted.push({ from, until: from + length, size })
  }
  return { start: START, timeZone: shape.timeZone, costs, planted }
}

function toHours(timeZone: string, random: () => number): Hour[] {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", hour: "numeric", weekday: "short" })
  const holidays = new Set([0, 1, 2, 91, 94, 120, 240, 330, 357, 358, 359, 360, 361, 362, 363, 364])
  for (let i = 0; i < 4; i++) holidays.add(Math.floor(random() * 365))
  return Array.from({ length: HOURS }, (_, i) => {
    const part = Object.fromEntries(format.formatToParts(START + i * 3_600_000).map(({ type, value }) => [type, value]))
    const weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].indexOf(part["weekday"]!)
    const day = Math.floor(i / 24)
    return { day, hour: Number(part["hour"]), weekday, isHoliday: holidays.has(day) }
  })
}

/** Returns a number of the normal distribution. */
function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
