import { CommandError, NotFoundError } from "../../core/errors.ts"
import { askRequest } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import type { RequestRow } from "./row.ts"

/**
 * Returns one request, with its bodies where the database has them.
 *
 * @param input.id its id, or the beginning of its id, as `parseRequestIdStart` returns it
 * @throws CommandError if there is no such request, or there are several
 */
export async function getRequest(
  { database }: Context<"database">,
  { id }: { readonly id: string },
): Promise<RequestRow> {
  const { rows } = await database.query<RequestRow>(askRequest(id))
  if (rows.length > 1) {
    const ids = rows.map((row) => String(row["id"]))
    throw new CommandError(`more than one request has an id that begins with ${id}, such as ${ids.join(" and ")}`)
  }
  if (rows[0] !== undefined) return rows[0]
  throw new NotFoundError(`there is no request ${id}; a row is written within a second of the end of its response`)
}
