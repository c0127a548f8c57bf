import { median } from "./_median.ts"

/** Whole weeks, so that weekends weigh the same at any time. */
const LEVEL_DAYS = 7
/** Growth beyond this is no growth of the same work. */
const MAX_GROWTH = 4

/**
 * Returns how much a day cost lately, for each step of a series: the median of the seven days before it. One expensive day,
 * or three, do not change it, and a lasting change of the spend does after four days. NaN: there are less than seven days.
 *
 * @param first the first step with spend
 */
export function toLevels(costs: readonly number[], { first, stepsPerDay }: { first: number; stepsPerDay: number }) {
  const sums = new Float64Array(costs.length + 1)
  costs.forEach((cost, i) => {
    sums[i + 1] = sums[i]! + cost
  })
  return Float64Array.from(costs, (_, i) => {
    if (i - first < LEVEL_DAYS * stepsPerDay) return Number.NaN
    const sumOf = (k: number) => sums[i - stepsPerDay * k]! - sums[i - stepsPerDay * (k + 1)]!
    return median(Array.from({ length: LEVEL_DAYS }, (_, k) => sumOf(k)))
  })
}

/**
 * Returns by what to multiply a cost of then. Growth is followed. After a holiday, or when work has ended, the weeks before
 * still count as they were.
 */
export function toGrowth(now: number, then: number): number {
  const growth = now / then
  return growth > 1 ? Math.min(growth, MAX_GROWTH) : 1
}
