import { formatDecimal, fromNumber } from "../../core/decimal.ts"
import type { AnomalyDriver } from "../../core/notification.ts"
import type { Dimension, Period, UsageAnswer } from "../../reports/index.ts"
import type { Asker } from "../usage/asker.ts"
import { KEY, MODEL, PROVIDER, pickNames, toValue } from "./names.ts"

const WEEK_MS = 7 * 86_400_000
const WEEKS = 4
const MOST = 5
/** A group that has less than this part of the growth did not cause it. */
const LEAST_SHARE = 0.2
const GROUPS = 50

/**
 * Finds the groups that grew most in a period, compared with the median of the same period of the four weeks before, and the
 * cost of the period.
 */
export async function findDrivers(
  { ask, rollups }: Asker,
  period: Period & { readonly until: number },
): Promise<{ readonly cost: string; readonly drivers: readonly AnomalyDriver[] }> {
  const earlier = Array.from({ length: WEEKS }, (_, k) => ({
    since: period.since - (k + 1) * WEEK_MS,
    until: period.until - (k + 1) * WEEK_MS,
    tz: period.tz,
  }))
  const drivers: AnomalyDriver[] = []
  let cost = "0"
  for (const dimension of [KEY, ...pickNames(rollups), MODEL, PROVIDER]) {
    const current = await ask({ by: [dimension], period, filters: {}, limit: GROUPS })
    cost = current.total.total_cost ?? "0"
    const before: UsageAnswer[] = []
    for (const each of earlier) before.push(await ask({ by: [dimension], period: each, filters: {} }))
    drivers.push(...listDrivers(dimension, current, before))
  }
  const growth = ({ cost: now, expected }: AnomalyDriver) => Number(now) - Number(expected)
  const all = drivers.filter(({ value }) => value !== "(none)").toSorted((a, b) => growth(b) - growth(a))
  const least = LEAST_SHARE * Math.max(0, ...all.map(growth))
  return { cost, drivers: all.filter((each) => growth(each) > least).slice(0, MOST) }
}

function listDrivers(dimension: Dimension, { rows }: UsageAnswer, before: readonly UsageAnswer[]): AnomalyDriver[] {
  const identify = (row: UsageAnswer["rows"][number]) => row.keyId ?? toValue(row.values[0])
  const weeks = before.map((answer) => new Map(answer.rows.map((row) => [identify(row), Number(row.total_cost ?? 0)])))
  return rows.map((row) => {
    const costs = weeks.map((week) => week.get(identify(row)) ?? 0).sort((a, b) => a - b)
    const expected = (costs[WEEKS / 2 - 1]! + costs[WEEKS / 2]!) / 2
    return {
      dimension: dimension.name,
      value: toValue(row.values[0]),
      cost: row.total_cost ?? "0",
      expected: formatDecimal(fromNumber(Number(expected.toFixed(4)))),
    }
  })
}
