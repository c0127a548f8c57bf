import { createEpisode } from "./_episode.ts"
import { toGrowth, toLevels } from "./_level.ts"
import { DEVIATION_SCALE, median } from "./_median.ts"
import { createMemory } from "./_memory.ts"
import { LEARNING_DAYS, PATTERN_WEEKS, type Score } from "./_score.ts"

/** Nobody needs to be told of less than this above the usual cost of a day. */
const FLOOR_USD = 5
/** Days vary less than hours. With the least spread, this is twice the usual cost. */
const MIN_SPREADS = 5
const SPREAD_OF_EXPECTED = 0.2
const SPREAD_OF_LEVEL = 0.1
const SPREAD_USD = 0.5
const GAP_DAYS = 2
/** Spend on fewer of the days is sparse. */
const SPARSE = 0.7

/**
 * Scores each of consecutive days by the days before it; undefined while the pattern is not known. A day is compared with the
 * same day of the week in the last six weeks, at the present level of spend.
 *
 * @param costs USD of each local day
 */
export function scoreDays(costs: readonly number[]): readonly (Score | undefined)[] {
  const first = costs.findIndex((cost) => cost > 0)
  const levels = toLevels(costs, { first, stepsPerDay: 1 })
  const memory = createMemory()
  const isAlarm = createEpisode(GAP_DAYS)
  return costs.map((cost, i) => {
    if (first < 0 || i - first < LEARNING_DAYS) return undefined
    const values: number[] = []
    for (let j = i - 7; j >= Math.max(first, i - 7 * PATTERN_WEEKS); j -= 7) {
      values.push(costs[j]! * toGrowth(levels[i]!, levels[j]!))
    }
    const expected = median([...values])
    const deviation = DEVIATION_SCALE * median(values.map((value) => Math.abs(value - expected)))
    const spread = Math.max(deviation, SPREAD_OF_EXPECTED * expected, SPREAD_OF_LEVEL * levels[i]!, SPREAD_USD)
    const spent = costs.slice(Math.max(first, i - 28), i).filter((each) => each > 0).length
    const isSparse = spent < SPARSE * Math.min(28, i - first)
    const usual = Math.max(MIN_SPREADS * (1 + 1 / values.length ** 2), memory.findUsual(i, isSparse))
    memory.add(i, (cost - expected) / spread)
    const upper = expected + Math.max(FLOOR_USD, usual * spread)
    const isUnusual = cost > upper
    return { cost, expected, upper, isUnusual, isAlarm: isUnusual && isAlarm(i, cost) }
  })
}
