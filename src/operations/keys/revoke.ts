import { revokeKey as markRevoked } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { type Key, toKey } from "./key.ts"

interface RevokedKey {
  readonly key: Key
  /** The key had been revoked earlier, so nothing changed. */
  readonly wasRevokedBefore: boolean
}

/**
 * Revokes an API key. When the promise resolves, every running gateway of this database rejects the key.
 *
 * @throws CommandError if no key has the id
 */
export async function revokeKey(
  { database }: Context<"database">,
  { id }: { readonly id: string },
): Promise<RevokedKey> {
  const { key, wasRevokedBefore } = await markRevoked(database, id)
  return { key: toKey(key), wasRevokedBefore }
}
