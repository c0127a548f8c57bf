import { NotFoundError } from "../../core/errors.ts"
import { askRequest } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import type { RequestRow } from "./row.ts"

/**
 * Returns one request, with its bodies where the database has them.
 *
 * @throws CommandError if there is no such request
 */
export async function getRequest(
  { database }: Context<"database">,
  { id }: { readonly id: string },
): Promise<RequestRow> {
  const { rows } = await database.query<RequestRow>(askRequest(id))
  if (rows[0] !== undefined) return rows[0]
  throw new NotFoundError(`there is no request ${id}; a row is written within a second of the end of its response`)
}
