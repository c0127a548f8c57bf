import { findNearest } from "../../config/nearest.ts"
import { CommandError, NotFoundError } from "../../core/errors.ts"
import { hashKey } from "../../core/key.ts"
import { findEnd } from "../../core/key-policy.ts"
import type { RunQuery } from "../../database/_database.ts"
import { toId } from "../../database/key-input.ts"
import { findCaller } from "../../database/key-lookups.ts"
import type { ApiKey } from "../../database/key-rows.ts"
import { listKeys } from "../../database/keys.ts"
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

const UUID_LENGTH = 36
const MAX_NAMED = 5

/**
 * Returns the API keys that a text means: that with this id or name, or those whose ids begin with it (four characters or
 * more). A key that was revoked counts only if no active key has the name.
 */
export function matchKeys(text: string, keys: readonly ApiKey[]): readonly ApiKey[] {
  const named = keys.filter(({ name }) => name === text)
  const active = named.filter(({ isActive }) => isActive)
  if (named.length > 0) return active.length > 0 ? active : named
  return /^[0-9a-f-]{4,36}$/i.test(text) ? keys.filter(({ id }) => id.startsWith(text.toLowerCase())) : []
}

/**
 * Returns the id of the API key that a text means: its id, the beginning of its id (four characters or more), or its name.
 * A revoked key counts only if no active key has the name.
 *
 * @throws NotFoundError if there is no such key
 * @throws CommandError if there are several; the message never shows a key that was pasted by mistake
 */
export async function requireKeyId(query: RunQuery, text: string): Promise<string> {
  if (text.length === UUID_LENGTH || text.startsWith("mdm_sk_")) return toId(text)
  const keys = await listKeys({ query })
  const found = matchKeys(text, keys)
  if (found.length === 1) return found[0]!.id
  const shown = JSON.stringify(text.slice(0, 60))
  if (found.length > 1) {
    const each = found
      .slice(0, MAX_NAMED)
      .map(({ id, name, isActive }) => `${id} (${name}${isActive ? "" : ", revoked"})`)
    const more = found.length > MAX_NAMED ? ` and ${found.length - MAX_NAMED} more` : ""
    throw new CommandError(`${shown} means ${found.length} API keys: ${each.join(", ")}${more}: give the id of one`)
  }
  const meant = findNearest(
    text,
    keys.map(({ name }) => name),
  )
  const hint = meant === undefined ? "see keys list" : `did you mean ${JSON.stringify(meant)}?`
  throw new NotFoundError(`there is no API key with the id or the name ${shown}: ${hint}`)
}
