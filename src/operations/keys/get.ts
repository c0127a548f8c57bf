import { getKey as readKey } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { requireKeyId } from "./find.ts"
import { type Key, readKeyView } from "./key.ts"

/**
 * Returns one API key.
 *
 * @param input.id its id, the beginning of its id, or its name
 * @throws CommandError if there is no such key, or there are several
 */
export async function getKey(
  { database, now }: Context<"database" | "now">,
  { id }: { readonly id: string },
): Promise<Key> {
  const view = await readKeyView(database.query, now())
  return view(await readKey(database, await requireKeyId(database.query, id)))
}
