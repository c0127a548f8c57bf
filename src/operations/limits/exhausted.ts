import { readLimitStates } from "../../database/limits.ts"
import type { Context } from "../context.ts"
import { type KeyNames, readKeyNames } from "./limit.ts"

/** Returns a sentence for each limit that is used up, so that requests under it are rejected or reported. */
export async function findExhaustedLimits({ database, now }: Context<"database" | "now">): Promise<readonly string[]> {
  const states = await readLimitStates(database, { at: now(), top: 1 })
  const exhausted = states.filter(
    ({ limit, used }) => limit.measure !== "concurrency" && Number(used) >= Number(limit.amount),
  )
  if (exhausted.length === 0) return []
  const names: KeyNames = await readKeyNames(database)
  return exhausted.map(({ limit, value, used, resetsAt }) => {
    const whose =
      limit.per === undefined ? "" : ` by ${JSON.stringify((limit.per === "key" && names.get(value)) || value)}`
    const effect = limit.action === "block" ? "requests are rejected" : "requests are only reported"
    const until = resetsAt === undefined ? "" : ` until ${resetsAt}`
    return `the limit ${JSON.stringify(limit.name)} is used up${whose} (${used} of ${limit.amount}), so ${effect}${until}`
  })
}
