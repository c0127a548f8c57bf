import { hashKey } from "../../core/key.ts"
import { findCaller } from "../../database/key-lookups.ts"
import type { Context } from "../context.ts"

/** Returns the id of the API key with a secret; undefined if there is none, or it was revoked. */
export async function findKeyId(
  { database }: Context<"database">,
  { secret }: { readonly secret: string },
): Promise<string | undefined> {
  return (await findCaller(database, hashKey(secret)))?.keyId
}
