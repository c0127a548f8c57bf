import { createEpisode } from "./_episode.ts"
import { toGrowth, toLevels } from "./_level.ts"
import { DEVIATION_SCALE, median } from "./_median.ts"
import { createMemory, MEMORY_DAYS } from "./_memory.ts"
import { LEARNING_DAYS, PATTERN_WEEKS, type Score } from "./_score.ts"
import { indexWallHours, toWallHours } from "./_wall.ts"

/** The cost of consecutive hours. */
interface HourlyCosts {
  /** The beginning of the first hour in milliseconds since the epoch, a full hour of UTC. */
  readonly start: number
  /** USD, one number for each hour. */
  readonly costs: readonly number[]
  readonly timeZone: string
}

/** Nobody needs to be told of less than this above the usual cost of an hour. */
const FLOOR_USD = 1
/** An excess is unusual from so many spreads on. With the least spread, that is 2.3 times the usual cost. */
const MIN_SPREADS = 6.5
/** The least spread, as a part of the usual cost of the hour, of the average hour, and in USD. */
const SPREAD_OF_EXPECTED = 0.2
const SPREAD_OF_LEVEL = 0.03
const SPREAD_USD = 0.05
/** The number of hours in a row that, each with a part of an unusual excess, are as unusual as one that has all of it. */
const RUN_HOURS = 3
const RUN_SHARE = 0.6
/** The neighbors in the day that show how much such hours vary. */
const NEIGHBORS = [-3, -2, -1, 0, 1, 2, 3]
/** Spend in fewer of the hours is sparse: it has no pattern by hour. */
const SPARSE = 0.2
const GAP_HOURS = 36
const HOUR_MS = 3_600_000

/**
 * Scores each hour of a series by the hours before it; undefined while the pattern is not known. An hour is compared with the
 * same hour of the week in the last six weeks, at the present level of spend.
 */
export function scoreHours({ start, costs, timeZone }: HourlyCosts): readonly (Score | undefined)[] {
  const first = costs.findIndex((cost) => cost > 0)
  const findPattern = createPattern({ start, costs, timeZone }, first)
  const findSparse = createSparseness(costs)
  const memory = createMemory()
  const isAlarm = createEpisode(GAP_HOURS)
  let run = 0
  return costs.map((cost, i) => {
    if (first < 0 || i - first < LEARNING_DAYS * 24) return undefined
    const day = Math.floor((start / HOUR_MS + i) / 24)
    const { expected, spread, weeks } = findPattern(i)
    // Two weeks say less than six.
    const usual = Math.max(MIN_SPREADS * (1 + 1 / weeks ** 2), memory.findUsual(day, findSparse(i, first)))
    memory.add(day, (cost - expected) / spread)
    const upper = expected + Math.max(FLOOR_USD, usual * spread)
    run = cost > expected + Math.max(FLOOR_USD, RUN_SHARE * usual * spread) ? run + 1 : 0
    const isUnusual = cost > upper || run >= RUN_HOURS
    return { cost, expected, upper, isUnusual, isAlarm: isUnusual && isAlarm(i, cost) }
  })
}

/** Returns a function that finds the usual cost of an hour, how much it varies, and the weeks that are known. */
function createPattern({ start, costs, timeZone }: HourlyCosts, first: number) {
  const wall = toWallHours(start, costs.length, timeZone)
  const find = indexWallHours(wall)
  const levels = toLevels(costs, { first, stepsPerDay: 24 })

  /** Returns the costs of the same hour of the weeks before, or of a neighbor of it, at the level of now. */
  function listSame(i: number, shift: number): number[] {
    const values: number[] = []
    for (let week = 1; week <= PATTERN_WEEKS; week++) {
      const j = find(wall[i]! - week * 168 + shift)
      if (j !== undefined && j >= first) values.push(costs[j]! * toGrowth(levels[i]!, levels[j]!))
    }
    return values
  }

  return (i: number) => {
    const own = listSame(i, 0)
    const expected = median([...own])
    const deviations = NEIGHBORS.flatMap((shift) => {
      const values = listSame(i, shift)
      const middle = median(values)
      return middle === 0 ? [] : values.map((value) => Math.abs(value - middle) / middle)
    })
    const share = Math.max(DEVIATION_SCALE * median(deviations), SPREAD_OF_EXPECTED)
    const spread = Math.max(share * expected, (SPREAD_OF_LEVEL * levels[i]!) / 24, SPREAD_USD)
    return { expected, spread, weeks: own.length }
  }
}

/** Returns a function that says whether few of the hours before one have spend. */
function createSparseness(costs: readonly number[]) {
  const counts = new Uint32Array(costs.length + 1)
  costs.forEach((cost, i) => {
    counts[i + 1] = counts[i]! + (cost > 0 ? 1 : 0)
  })
  return (i: number, first: number): boolean => {
    const from = Math.max(first, i - MEMORY_DAYS * 24)
    return counts[i]! - counts[from]! < SPARSE * (i - from)
  }
}
