import { hashKey } from "../../core/key.ts"
import { findEnd } from "../../core/key-policy.ts"
import { findCaller } from "../../database/key-lookups.ts"
import type { Context } from "../context.ts"

/** Returns the API key with a secret; undefined if there is none, or it was revoked or has expired. */
export async function findOwnKey(
  { database, now }: Context<"database" | "now">,
  { secret }: { readonly secret: string },
): Promise<{ readonly id: string; readonly name: string } | undefined> {
  const caller = await findCaller(database, hashKey(secret))
  if (caller?.keyId === undefined) return undefined
  if (caller.policy && findEnd(caller.policy, now()) !== undefined) return undefined
  return { id: caller.keyId, name: caller.keyName ?? "" }
}
