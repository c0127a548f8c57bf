import { readLimitStates, listLimits as readLimits } from "../../database/limits.ts"
import type { Context } from "../context.ts"
import { readListedLimit } from "./create.ts"
import { requireLimit } from "./find.ts"
import { type ListedLimit, readKeyNames, toListedLimit } from "./limit.ts"

/** Lists all limits by name, with what is left of each; of one with `per`, for the value that has used most. */
export async function listLimits({ database, now }: Context<"database" | "now">): Promise<readonly ListedLimit[]> {
  const limits = await readLimits(database)
  if (limits.length === 0) return []
  const states = new Map(
    (await readLimitStates(database, { at: now(), top: 1 })).map((state) => [state.limit.id, state]),
  )
  const names = await readKeyNames(database)
  return limits.map((limit) => toListedLimit(limit, states.get(limit.id), names))
}

/**
 * Returns one limit with what is left of it.
 *
 * @throws NotFoundError if there is none with the id or the name
 */
export async function getLimit(
  { database, now }: Context<"database" | "now">,
  { id }: { readonly id: string },
): Promise<ListedLimit> {
  return readListedLimit(database, await requireLimit(database, id), now(), await readKeyNames(database))
}
