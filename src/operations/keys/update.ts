import { recordChange } from "../../database/access/audit.ts"
import { resolveBindings } from "../../database/key-bindings.ts"
import type { KeyMetadataInput } from "../../database/key-metadata.ts"
import { lockKey } from "../../database/key-rows.ts"
import { updateKey as changeKey, type KeyPolicyChange, rejectEmptyChange } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { type Key, toKey } from "./key.ts"

interface KeyChange extends KeyMetadataInput {
  readonly id: string
  readonly name?: string | undefined
  /** An empty text removes the description. */
  readonly description?: string | undefined
  /** In percent, such as `12.5`. An empty text and 0 remove the discount. */
  readonly discount?: string | undefined
  /** The provider keys to bind it to: `openai:team-a`; `openai:` ends the binding. */
  readonly provider_keys?: readonly string[] | undefined
  readonly policy?: KeyPolicyChange | undefined
}

/**
 * Changes the name, the description, the discount, the metadata, the provider keys or the policy of an API key, for new
 * requests. A member that is undefined stays as it is.
 *
 * @throws CommandError if nothing is to be changed, a value is not valid, or no key has the id
 */
export async function updateKey(
  { database, actor, now }: Context<"database" | "actor" | "now">,
  { id, provider_keys: names, ...change }: KeyChange,
): Promise<Key> {
  rejectEmptyChange({ ...change, names })
  return database.transaction(async (query) => {
    const before = toKey(await lockKey(query, id), now())
    const bindings = names && (await resolveBindings(query, names))
    const after = toKey(await changeKey({ query }, id, { ...change, bindings }), now())
    await recordChange(query, actor, { action: "keys.update", target: after.id, before, after })
    return after
  })
}
