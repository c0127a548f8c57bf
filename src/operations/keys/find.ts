import { hashKey } from "../../core/key.ts"
import { findEnd } from "../../core/key-policy.ts"
import type { RunQuery } from "../../database/_database.ts"
import { toId } from "../../database/key-input.ts"
import { findCaller } from "../../database/key-lookups.ts"
import { listKeys } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { requireNamed } from "../named.ts"

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

const UUID_LENGTH = 36
const WORDS = { one: "API key", several: "API keys", list: "keys list" }

/**
 * Returns the id of the API key that a text means: its id, the beginning of its id (four characters or more), or its name.
 * A revoked key counts only if no active key has the name.
 *
 * @throws NotFoundError if there is no such key
 * @throws CommandError if there are several; the message never shows a key that was pasted by mistake
 */
export async function requireKeyId(query: RunQuery, text: string): Promise<string> {
  if (text.length === UUID_LENGTH || text.startsWith("mdm_sk_")) return toId(text)
  return requireNamed(text, await listKeys({ query }), WORDS).id
}
