import { recordChange } from "../../database/access/audit.ts"
import { resolveBindings } from "../../database/key-bindings.ts"
import type { KeyMetadataInput } from "../../database/key-metadata.ts"
import { lockKey } from "../../database/key-rows.ts"
import { updateKey as changeKey, type KeyPolicyChange, rejectEmptyChange } from "../../database/keys.ts"
import { lockRollups } from "../../database/locks.ts"
import type { Context } from "../context.ts"
import { requireKeyId } from "./find.ts"
import { type Key, readKeyView } from "./key.ts"
import { applyKeyLimits, type KeyLimitChange, renameKeyLimits } from "./limits.ts"

interface KeyChange extends KeyMetadataInput {
  /** Its id, the beginning of its id, or its name. */
  readonly id: string
  readonly name?: string | undefined
  /** An empty text removes the description. */
  readonly description?: string | undefined
  /** In percent, such as `12.5`. An empty text and 0 remove the discount. */
  readonly discount?: string | undefined
  /** The provider keys to bind it to: `openai:team-a`; `openai:` ends the binding. */
  readonly provider_keys?: readonly string[] | undefined
  readonly policy?: KeyPolicyChange | undefined
  readonly limits?: readonly KeyLimitChange[] | undefined
}

/**
 * Changes the name, the description, the discount, the metadata, the provider keys, the policy or the limits of an API key, for
 * new requests. A member that is undefined stays as it is. With the name, those of its limits are changed that have it.
 *
 * @throws CommandError if nothing is to be changed, a value is not valid, or no key has the id
 */
export async function updateKey(
  { database, actor, now }: Context<"database" | "actor" | "now">,
  { id: given, provider_keys: names, limits, ...change }: KeyChange,
): Promise<Key> {
  rejectEmptyChange({ ...change, names, limits })
  const id = await requireKeyId(database.query, given)
  return database.transaction(async (query) => {
    // A new limit counts the requests of its window. Batches take the lock for it before the row of the key, too.
    if (limits !== undefined || change.name !== undefined) await lockRollups(query)
    const before = (await readKeyView(query, now()))(await lockKey(query, id))
    const bindings = names && (await resolveBindings(query, names))
    // A name from before names were checked may stay, because forms send it back as it is.
    const name = change.name === before.name ? undefined : change.name
    const changed = await changeKey({ query }, id, { ...change, name, bindings })
    if (name !== undefined) await renameKeyLimits(query, before, changed)
    if (limits !== undefined) await applyKeyLimits(query, changed, limits)
    const after = (await readKeyView(query, now()))(changed)
    await recordChange(query, actor, { action: "keys.update", target: after.id, before, after })
    return after
  })
}
