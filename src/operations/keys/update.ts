import { recordChange } from "../../database/access/audit.ts"
import type { KeyMetadataInput } from "../../database/key-metadata.ts"
import { updateKey as changeKey, lockKey, rejectEmptyChange } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { type Key, toKey } from "./key.ts"

interface KeyChange extends KeyMetadataInput {
  readonly id: string
  readonly name?: string | undefined
  /** An empty text removes the description. */
  readonly description?: string | undefined
  /** In percent, such as `12.5`. An empty text and 0 remove the discount. */
  readonly discount?: string | undefined
}

/**
 * Changes the name, the description, the discount or the metadata of an API key, for new requests. A member that is undefined stays as it is.
 *
 * @throws CommandError if nothing is to be changed, a value is not valid, or no key has the id
 */
export async function updateKey(
  { database, actor }: Context<"database" | "actor">,
  { id, ...change }: KeyChange,
): Promise<Key> {
  rejectEmptyChange(change)
  return database.transaction(async (query) => {
    const before = toKey(await lockKey(query, id))
    const after = toKey(await changeKey({ query }, id, change))
    await recordChange(query, actor, { action: "keys.update", target: after.id, before, after })
    return after
  })
}
