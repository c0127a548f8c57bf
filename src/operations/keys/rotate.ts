import { recordChange } from "../../database/access/audit.ts"
import { askGateways } from "../../database/gateways.ts"
import { rotateSecret } from "../../database/key-secrets.ts"
import type { Context } from "../context.ts"
import type { CreatedKey } from "./create.ts"
import { requireKeyId } from "./find.ts"
import { readKeyView } from "./key.ts"
import { type RevokedKey, toGateways } from "./revoke.ts"

/** A key with its new secret. Its id, its name and its settings are the same as before. */
export interface RotatedKey extends CreatedKey {
  readonly gateways: RevokedKey["gateways"]
}

interface RotateInput {
  readonly id: string
  /** How long the old secret still works, in milliseconds. */
  readonly graceMs?: number | undefined
}

/**
 * Replaces the secret of an API key. The old one works until the grace period ends, and an even older one ends now.
 *
 * @throws CommandError if no key has the id, or it is revoked
 */
export async function rotateKey(
  { database, actor, now }: Context<"database" | "actor" | "now">,
  { id: given, graceMs = 0 }: RotateInput,
): Promise<RotatedKey> {
  const id = await requireKeyId(database.query, given)
  const view = await readKeyView(database.query, now())
  const { key, secret } = await rotateSecret(database, { id, graceMs }, (query, before, after) =>
    recordChange(query, actor, { action: "keys.rotate", target: id, before: view(before), after: view(after) }),
  )
  return { ...view(key), key: secret, gateways: toGateways(await askGateways(database)) }
}
