import { findNearest } from "../../config/nearest.ts"
import { CommandError, NotFoundError } from "../../core/errors.ts"
import type { Limit } from "../../core/limit.ts"
import type { RunQuery } from "../../database/_database.ts"
import { findLimit, listLimits } from "../../database/limits.ts"
import { matchNamed } from "../named.ts"

/**
 * Returns the limit with an id, with the beginning of an id (four characters or more), or with a name.
 *
 * @throws NotFoundError if there is none
 * @throws CommandError if there are several
 */
export async function requireLimit(database: { readonly query: RunQuery }, nameOrId: string): Promise<Limit> {
  const limit = await findLimit(database, nameOrId)
  if (limit !== undefined) return limit
  const limits = await listLimits(database)
  const [found, ...others] = matchNamed(nameOrId, limits)
  if (found !== undefined && others.length === 0) return found
  if (found !== undefined) {
    throw new CommandError(`several limits have an id that begins with ${nameOrId}: give the name of one`)
  }
  const meant = findNearest(
    nameOrId,
    limits.map(({ name }) => name),
  )
  const hint = meant === undefined ? "see majordomo-gateway limits list" : `did you mean ${JSON.stringify(meant)}?`
  throw new NotFoundError(`there is no limit ${JSON.stringify(nameOrId.slice(0, 60))}: ${hint}`)
}
