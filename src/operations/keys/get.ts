import { getKey as readKey } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { type Key, readKeyView } from "./key.ts"

/**
 * Returns one API key.
 *
 * @throws CommandError if the id has not the form of an id, or no key has it
 */
export async function getKey(
  { database, now }: Context<"database" | "now">,
  { id }: { readonly id: string },
): Promise<Key> {
  const view = await readKeyView(database.query, now())
  return view(await readKey(database, id))
}
