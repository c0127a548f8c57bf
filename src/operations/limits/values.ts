import { readLimitStates } from "../../database/limits.ts"
import type { Context } from "../context.ts"
import { requireLimit } from "./find.ts"
import { type LimitUsageObject, readKeyNames, toUsageObject } from "./limit.ts"

interface ValuesQuestion {
  /** The id or the name of the limit. */
  readonly id: string
  /** Only this value: of `per: key`, the name or the id of an API key. */
  readonly value?: string | undefined
  /** The number of values, those that have used most. */
  readonly limit: number
}

/**
 * Returns what is left of a limit for each value of its `per`, those that have used most first.
 *
 * @throws NotFoundError if there is no such limit
 */
export async function listLimitValues(
  { database, now }: Context<"database" | "now">,
  { id, value, limit: top }: ValuesQuestion,
): Promise<readonly LimitUsageObject[]> {
  const limit = await requireLimit(database, id)
  const names = await readKeyNames(database)
  const searched = limit.per === "key" && value !== undefined ? (findIdByName(names, value) ?? value) : value
  const question = { at: now(), limit: limit.id, top, value: limit.per === undefined ? undefined : searched }
  return (await readLimitStates(database, question)).map((state) => toUsageObject(state, names))
}

function findIdByName(names: ReadonlyMap<string, string>, wanted: string): string | undefined {
  for (const [id, name] of names) if (name === wanted) return id
  return undefined
}
