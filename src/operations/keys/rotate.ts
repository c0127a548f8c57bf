import { CommandError } from "../../core/errors.ts"
import { recordChange } from "../../database/access/audit.ts"
import { askGateways } from "../../database/gateways.ts"
import type { Binding, BindingChange } from "../../database/key-bindings.ts"
import { createKey, getKey, lockKey, markRevoked } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import type { CreatedKey } from "./create.ts"
import { type Key, toKey } from "./key.ts"
import { type RevokedKey, toGateways } from "./revoke.ts"

/** A new key with the name and the settings of the old one, which is revoked. */
export interface RotatedKey extends CreatedKey {
  readonly replaced: Key
  readonly gateways: RevokedKey["gateways"]
}

/**
 * Replaces an API key: creates one with the same name and settings, and revokes the old one.
 *
 * @throws CommandError if no key has the id, or it is revoked
 */
export async function rotateKey(
  { database, actor }: Context<"database" | "actor">,
  { id }: { readonly id: string },
): Promise<RotatedKey> {
  const { name, description, discountPercent, metadata, bindings, isActive } = await getKey(database, id)
  if (!isActive)
    throw new CommandError("this key is revoked, so it cannot be rotated: create a new one with keys create")
  let replaced: Key | undefined
  const { key, secret } = await createKey(
    database,
    {
      name,
      description,
      discount: discountPercent,
      default_metadata: metadata?.defaults,
      locked_metadata: metadata?.locked,
      required_metadata: metadata?.required,
      bindings: toChange(bindings),
    },
    async (query, created) => {
      const before = toKey(await lockKey(query, id))
      replaced = toKey(await markRevoked(query, id))
      await recordChange(query, actor, { action: "keys.rotate", target: id, before, after: toKey(created) })
    },
  )
  return { ...toKey(key), key: secret, replaced: replaced!, gateways: toGateways(await askGateways(database)) }
}

function toChange(bindings: readonly Binding[]): BindingChange {
  return Object.fromEntries(bindings.map(({ provider, id }) => [provider, id]))
}
