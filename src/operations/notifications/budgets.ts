import type { DigestFacts } from "../../core/notification.ts"
import { readLimitStates } from "../../database/limits.ts"
import type { Context } from "../context.ts"
import { readKeyNames } from "../limits/limit.ts"

const NEAR = 0.75
const MOST = 8
/** The windows that are long enough for a digest. */
const WINDOWS: readonly string[] = ["day", "week", "month", "total"]

/** Lists the limits of which at least three quarters are used now, the nearest to its amount first. */
export async function listBudgets({ database }: Context<"database">, now: number): Promise<DigestFacts["budgets"]> {
  const states = await readLimitStates(database, { at: now, top: MOST })
  const share = (state: (typeof states)[number]) => Number(state.used) / Number(state.limit.amount)
  const near = states
    .filter(
      ({ limit }) => WINDOWS.includes(limit.window) && limit.measure !== "concurrency" && Number(limit.amount) > 0,
    )
    .filter((state) => share(state) >= NEAR)
    .toSorted((a, b) => share(b) - share(a))
    .slice(0, MOST)
  if (near.length === 0) return []
  const names = await readKeyNames(database)
  return near.map(({ limit, value, used, resetsAt }) => ({
    name: limit.name,
    value: limit.per === "key" ? (names.get(value) ?? value) : value,
    used,
    amount: limit.amount,
    unit: limit.measure === "cost" ? "USD" : limit.measure,
    resets_at: resetsAt,
  }))
}
