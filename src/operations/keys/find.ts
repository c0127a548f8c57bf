import { hashKey } from "../../core/key.ts"
import { findEnd } from "../../core/key-policy.ts"
import { findCaller } from "../../database/key-lookups.ts"
import type { Context } from "../context.ts"

/** Returns the id of the API key with a secret; undefined if there is none, or it was revoked or has expired. */
export async function findKeyId(
  { database, now }: Context<"database" | "now">,
  { secret }: { readonly secret: string },
): Promise<string | undefined> {
  const caller = await findCaller(database, hashKey(secret))
  return caller?.policy && findEnd(caller.policy, now()) !== undefined ? undefined : caller?.keyId
}
