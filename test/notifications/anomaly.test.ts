import { describe, expect, test } from "vitest"
import { LEARNING_DAYS, NEEDED_DAYS, scoreDays, scoreHours } from "../../src/notifications/anomaly/index.ts"
import { generateYear, SHAPES, type SpendYear } from "../support/generated-spend.ts"

const HOUR_MS = 3_600_000
const SPARSE = "sparse use"
/** The settings of the method were chosen on other seeds. */
const SEEDS = [41, 42, 43, 44, 45]

/** What a method does with generated years: the anomalies that it found and missed, and its other alarms per month. */
interface Result {
  readonly found: number
  readonly missed: number
  readonly falsePerMonth: number
}

/** Returns the hours at which a method raises an alarm. */
type Method = (year: SpendYear) => readonly number[]

/** Hours, and days without an unusual hour, as the gateway does it. Days are those of UTC here. */
const ours: Method = (year) => {
  const hours = scoreHours(year)
  const days = scoreDays(toDays(year.costs))
  const isTold = (day: number) => hours.slice(day * 24, day * 24 + 24).some((score) => score?.isUnusual)
  return [
    ...hours.flatMap((score, i) => (score?.isAlarm ? [i] : [])),
    ...days.flatMap((score, day) => (score?.isAlarm && !isTold(day) ? [day * 24 + 23] : [])),
  ]
}

/** Three times the average hour of the first month. */
const fixedThreshold: Method = ({ costs }) => {
  const month = costs.slice(0, 30 * 24)
  const limit = Math.max(1, 3 * (month.reduce((sum, cost) => sum + cost, 0) / month.length))
  return firstOfEpisodes(costs.flatMap((cost, i) => (i >= 30 * 24 && cost > limit ? [i] : [])))
}

/** The mean of the last four weeks, and three standard deviations. */
const threeSigma: Method = ({ costs }) => {
  const length = 28 * 24
  let [sum, squares] = [0, 0]
  const above: number[] = []
  costs.forEach((cost, i) => {
    const mean = sum / length
    const deviation = Math.sqrt(Math.max(0, squares / length - mean * mean))
    if (i >= length && cost > mean + 3 * deviation && cost > mean + 1) above.push(i)
    const gone = i >= length ? costs[i - length]! : 0
    sum += cost - gone
    squares += cost * cost - gone * gone
  })
  return firstOfEpisodes(above)
}

/** The other methods also raise one alarm per episode. */
function firstOfEpisodes(hours: readonly number[]): number[] {
  return hours.filter((hour, i) => i === 0 || hour - hours[i - 1]! > 36)
}

function toDays(costs: readonly number[]): number[] {
  const days: number[] = []
  costs.forEach((cost, i) => {
    days[Math.floor(i / 24)] = (days[Math.floor(i / 24)] ?? 0) + cost
  })
  return days
}

function evaluate(method: Method, shape: string): Result {
  let [found, missed, others] = [0, 0, 0]
  for (const seed of SEEDS) {
    const year = generateYear(shape, seed)
    const alarms = method(year)
    // A day is over up to 23 hours after the anomaly.
    const isHit = (at: number, { from, until }: SpendYear["planted"][number]) =>
      at >= from && at < Math.ceil(until / 24) * 24
    for (const each of year.planted) alarms.some((at) => isHit(at, each)) ? found++ : missed++
    others += alarms.filter((at) => !year.planted.some((each) => isHit(at, each))).length
  }
  return { found, missed, falsePerMonth: others / SEEDS.length / 12 }
}

describe("a generated year with planted anomalies of 3 to 25 times the usual cost", () => {
  const results = Object.keys(SHAPES).map((shape) => ({
    shape,
    ours: evaluate(ours, shape),
    fixed: evaluate(fixedThreshold, shape),
    sigma: evaluate(threeSigma, shape),
  }))
  const toText = ({ found, missed, falsePerMonth }: Result) =>
    `${found} of ${found + missed}, ${falsePerMonth.toFixed(2)}`
  const lines = results.map((each) => `${each.shape}: ${[each.ours, each.fixed, each.sigma].map(toText).join(" | ")}`)
  const total = (name: "ours" | "fixed" | "sigma") => {
    const found = results.reduce((sum, each) => sum + each[name].found, 0)
    const missed = results.reduce((sum, each) => sum + each[name].missed, 0)
    return found / (found + missed)
  }

  test("the figures that the documentation has", () => {
    expect(lines.join("\n")).toMatchInlineSnapshot(`
      "office hours: 90 of 95, 0.08 | 20 of 95, 3.90 | 56 of 95, 1.03
      product, all day: 121 of 121, 0.00 | 114 of 121, 0.00 | 92 of 121, 0.00
      growth 10x per year: 118 of 121, 0.27 | 16 of 121, 1.35 | 91 of 121, 0.40
      office, growth 10x: 101 of 103, 0.20 | 6 of 103, 3.87 | 51 of 103, 1.73
      weekly batch: 63 of 63, 0.05 | 49 of 63, 3.70 | 14 of 63, 3.85
      sparse use: 1 of 2, 1.25 | 2 of 2, 6.73 | 2 of 2, 6.30
      level change: 112 of 116, 0.03 | 84 of 116, 1.58 | 86 of 116, 0.08
      campaign: 120 of 121, 0.03 | 105 of 121, 0.25 | 88 of 121, 0.07
      noisy: 108 of 121, 0.67 | 91 of 121, 2.08 | 83 of 121, 0.52"
    `)
  })

  test("at least 95 % of them are found", () => {
    expect(total("ours")).toBeGreaterThan(0.95)
    for (const { shape, ours: result } of results) {
      // A burst in few hours leaves hardly a place for an anomaly.
      if (shape !== SPARSE) expect(result.found / (result.found + result.missed), shape).toBeGreaterThan(0.85)
    }
  })

  test("there is at most one false alarm per month, except in sparse use, and simpler methods find less", () => {
    for (const { shape, ours: result } of results) {
      expect(result.falsePerMonth, shape).toBeLessThanOrEqual(shape === SPARSE ? 1.5 : 1)
    }
    expect(total("fixed")).toBeLessThan(total("ours"))
    expect(total("sigma")).toBeLessThan(total("ours"))
  })
})

const START = Date.parse("2026-03-02T00:00:00Z") // a Monday

/** Returns hourly costs of some weeks, with changes by hour. */
function weeksOf(weeks: number, usual: (i: number) => number, changes: Readonly<Record<number, number>> = {}) {
  const costs = Array.from({ length: weeks * 168 }, (_, i) => changes[i] ?? usual(i))
  return { start: START, costs, timeZone: "UTC" }
}

const alarmsOf = (series: Parameters<typeof scoreHours>[0]) =>
  scoreHours(series).flatMap((score, i) => (score?.isAlarm ? [i] : []))
const steady = (i: number) => 2 + (i % 3) * 0.1

describe("hours", () => {
  test(`nothing is unusual in the first ${LEARNING_DAYS} days, however much it costs`, () => {
    const spike = Object.fromEntries([200, 300, LEARNING_DAYS * 24 - 1].map((i) => [i, 500]))
    expect(alarmsOf(weeksOf(3, steady, spike))).toEqual([])
    expect(alarmsOf(weeksOf(3, steady, { [LEARNING_DAYS * 24 + 1]: 500 }))).toEqual([LEARNING_DAYS * 24 + 1])
  })

  test("the first days count from the first spend, not from the start of the series", () => {
    const late = (i: number) => (i < 1000 ? 0 : 2)
    expect(alarmsOf(weeksOf(10, late, { 1100: 90, 1330: 90 }))).toEqual([])
    expect(alarmsOf(weeksOf(10, late, { 1500: 90 }))).toEqual([1500])
  })

  test("less than one dollar above the usual cost is no alarm, whatever the factor", () => {
    expect(alarmsOf(weeksOf(8, () => 0.01, { 1200: 0.9 }))).toEqual([])
    expect(alarmsOf(weeksOf(8, () => 0.01, { 1200: 1.2 }))).toEqual([1200])
  })

  test("spend where there never is any is an alarm, and hours without spend are none", () => {
    const daytime = (i: number) => (i % 24 >= 8 && i % 24 < 20 ? 4 : 0)
    expect(alarmsOf(weeksOf(8, daytime, { [1176 + 3]: 6 }))).toEqual([1176 + 3])
    expect(alarmsOf(weeksOf(8, steady, { 1180: 0, 1181: 0, 1182: 0 }))).toEqual([])
  })

  test("a spike that lasts is one alarm, and one more if it grows to four times as much", () => {
    const lasting = Object.fromEntries(Array.from({ length: 40 }, (_, k) => [1200 + k, k < 30 ? 12 : 60]))
    expect(alarmsOf(weeksOf(9, steady, lasting))).toEqual([1200, 1230])
  })

  test("a lasting change of the level is one alarm, and four days later it is usual", () => {
    const doubled = (i: number) => (i < 1200 ? steady(i) : 4 * steady(i))
    expect(alarmsOf(weeksOf(14, doubled))).toEqual([1200])
    const scores = scoreHours(weeksOf(14, doubled))
    expect(scores.slice(1200 + 8 * 24).some((score) => score?.isUnusual)).toBe(false)
  })

  test("past anomalies do not change what is usual", () => {
    const past = Object.fromEntries([1, 2].flatMap((week) => [0, 1, 2].map((k) => [1300 - week * 168 + k, 80])))
    const score = scoreHours(weeksOf(9, steady, { ...past, 1300: 12 }))[1300]!
    expect(score.isAlarm).toBe(true)
    expect(score.expected).toBeCloseTo(steady(1300), 0)
  })

  test("when a time zone changes its clock, the working day still begins at its hour", () => {
    // In Berlin, 29 March 2026 has 23 hours. Work is from 8 to 18 local time.
    const start = Date.parse("2026-02-02T00:00:00Z")
    const local = new Intl.DateTimeFormat("en-US", { timeZone: "Europe/Berlin", hourCycle: "h23", hour: "numeric" })
    const costs = Array.from({ length: 70 * 24 }, (_, i) => {
      const hour = Number(local.format(start + i * HOUR_MS))
      return hour >= 8 && hour < 18 ? 20 : 0.1
    })
    expect(alarmsOf({ start, costs, timeZone: "Europe/Berlin" })).toEqual([])
    expect(alarmsOf({ start, costs, timeZone: "UTC" }), "the hours of UTC move by one").not.toEqual([])
  })

  test(`the score of an hour does not change with hours more than ${NEEDED_DAYS} days before it`, () => {
    const { start, costs, timeZone } = generateYear("office hours", 21)
    const all = scoreHours({ start, costs, timeZone }).slice(-24)
    const skipped = costs.length - (NEEDED_DAYS + 1) * 24
    const part = scoreHours({ start: start + skipped * HOUR_MS, costs: costs.slice(skipped), timeZone }).slice(-24)
    const toNumbers = (scores: typeof all) =>
      scores.map((score) => [score?.expected, score?.upper].map((n) => n?.toFixed(6)))
    expect(toNumbers(part)).toEqual(toNumbers(all))
  })
})

describe("days", () => {
  const alarmDays = (costs: readonly number[]) => scoreDays(costs).flatMap((score, i) => (score?.isAlarm ? [i] : []))
  const week = (i: number): number => (i % 7 < 5 ? 100 : 20)

  test("a weekend and a Monday after it are usual, and twice the usual cost all day is not", () => {
    const days = Array.from({ length: 70 }, (_, i) => week(i))
    expect(alarmDays(days)).toEqual([])
    expect(alarmDays(days.with(60, 230))).toEqual([60])
    expect(alarmDays(days.with(61, 110)), "as much as on a weekday, but on a Saturday").toEqual([61])
  })

  test("a week without work and the week after it raise no alarm", () => {
    expect(alarmDays(Array.from({ length: 84 }, (_, i) => (i >= 56 && i < 63 ? 2 : week(i))))).toEqual([])
  })
})
