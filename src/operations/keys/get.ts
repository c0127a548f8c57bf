import { getKey as readKey } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { type Key, toKey } from "./key.ts"

/**
 * Returns one API key.
 *
 * @throws CommandError if the id has not the form of an id, or no key has it
 */
export async function getKey(
  { database, now }: Context<"database" | "now">,
  { id }: { readonly id: string },
): Promise<Key> {
  return toKey(await readKey(database, id), now())
}
