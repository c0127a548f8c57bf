import { CommandError } from "../../core/errors.ts"
import { updateKey as changeKey } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { type Key, toKey } from "./key.ts"

interface KeyChange {
  readonly id: string
  readonly name?: string | undefined
  /** An empty text removes the description. */
  readonly description?: string | undefined
}

/**
 * Changes the name or the description of an API key. A member that is undefined stays as it is.
 *
 * @throws CommandError if nothing is to be changed, the name is not valid, or no key has the id
 */
export async function updateKey({ database }: Context<"database">, { id, name, description }: KeyChange): Promise<Key> {
  if (name === undefined && description === undefined) {
    throw new CommandError("nothing to change: give a name, a description, or both", 2)
  }
  return toKey(await changeKey(database, id, { name, description }))
}
