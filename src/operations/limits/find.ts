import { findNearest } from "../../config/nearest.ts"
import { NotFoundError } from "../../core/errors.ts"
import type { Limit } from "../../core/limit.ts"
import type { RunQuery } from "../../database/_database.ts"
import { findLimit, listLimits } from "../../database/limits.ts"

/**
 * Returns the limit with an id or a name.
 *
 * @throws NotFoundError if there is none
 */
export async function requireLimit(database: { readonly query: RunQuery }, nameOrId: string): Promise<Limit> {
  const limit = await findLimit(database, nameOrId)
  if (limit !== undefined) return limit
  const meant = findNearest(
    nameOrId,
    (await listLimits(database)).map(({ name }) => name),
  )
  const hint = meant === undefined ? "see majordomo-gateway limits list" : `did you mean ${JSON.stringify(meant)}?`
  throw new NotFoundError(`there is no limit ${JSON.stringify(nameOrId.slice(0, 60))}: ${hint}`)
}
