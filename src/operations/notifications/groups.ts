import type { DigestFacts, DigestGroup } from "../../core/notification.ts"
import type { Dimension, UsageAnswer } from "../../reports/index.ts"
import { toValue } from "./names.ts"

/** The groups of one dimension with their change, those with the highest cost first. */
export interface GroupsOfDimension {
  readonly dimension: string
  readonly groups: readonly DigestGroup[]
  /** The groups that had a cost in the period before, and have no request now. */
  readonly gone: readonly DigestGroup[]
}

/** Compares the groups of two periods. Keys are told apart by their ids, because two of them may have one name. */
export function compareGroups({ name }: Dimension, now: UsageAnswer, before: UsageAnswer): GroupsOfDimension {
  const identify = ({ keyId, values }: UsageAnswer["rows"][number]) => keyId ?? toValue(values[0])
  const earlier = new Map(before.rows.map((row) => [identify(row), row]))
  const current = new Set(now.rows.map(identify))
  return {
    dimension: name,
    groups: now.rows.map((row) => ({
      value: toValue(row.values[0]),
      cost: row.total_cost ?? "0",
      previous_cost: earlier.get(identify(row))?.total_cost ?? "0",
      requests: row.requests,
    })),
    gone: before.rows
      .filter((row) => !current.has(identify(row)))
      .map(({ values, total_cost }) => ({
        value: toValue(values[0]),
        cost: "0",
        previous_cost: total_cost ?? "0",
        requests: 0,
      })),
  }
}

const MOST = 5
/** A change of less than this part of the largest one is none that people look for. */
const LEAST_SHARE = 0.05

/** Returns the groups whose cost changed most, whatever they are divided by. */
export function pickChanges(names: readonly GroupsOfDimension[]): DigestFacts["changes"] {
  const size = ({ cost, previous_cost }: DigestGroup) => Math.abs(Number(cost) - Number(previous_cost))
  const all = names
    .flatMap(({ dimension, groups, gone }) => [...groups, ...gone].map((group) => ({ dimension, ...group })))
    .filter(({ value }) => value !== "(none)")
    .toSorted((a, b) => size(b) - size(a))
  const largest = all[0] === undefined ? 0 : size(all[0])
  return all.filter((each) => size(each) > LEAST_SHARE * largest).slice(0, MOST)
}
