import { CommandError } from "../core/errors.ts"
import { generateKey, hashKey } from "../core/key.ts"
import type { Database, RunQuery } from "./_database.ts"
import { type ApiKey, KEY_COLUMNS, type KeyRow, lockKey, type NewKey, toOneKey } from "./key-rows.ts"

/**
 * Replaces the secret of a key. The previous one works for `graceMs` more, and the one before it ends now. If it throws, the
 * key has its old secret, unless the database cannot be reached any more.
 * @param also what belongs to the same transaction
 */
export async function rotateSecret(
  db: Database,
  { id, graceMs }: { readonly id: string; readonly graceMs: number },
  also: (query: RunQuery, before: ApiKey, after: ApiKey) => Promise<void> = async () => {},
): Promise<NewKey> {
  const secret = generateKey()
  try {
    return await db.transaction(async (query) => {
      const before = await lockKey(query, id)
      if (!before.isActive)
        throw new CommandError("this key is revoked, so it cannot be rotated: create a new one with keys create")
      const text = `UPDATE api_keys SET key_hash = $2, previous_key_hash = key_hash, updated_at = now(),
          previous_key_until = CASE WHEN $3 > 0 THEN now() + make_interval(secs => $3) END
        WHERE id = $1 RETURNING ${KEY_COLUMNS}`
      const key = toOneKey(id, await query<KeyRow>({ text, values: [id, hashKey(secret), graceMs / 1000] }))
      await also(query, before, key)
      return { key, secret }
    })
  } catch (error) {
    // As for a new key.
    await discardSecret(db, secret).catch(() => {})
    throw error
  }
}

/**
 * Takes back a secret that could not be shown to anybody: gives a rotated key its previous secret, and deletes a new key
 * with its limits. Returns whether there was one.
 */
export async function discardSecret(db: Pick<Database, "query">, secret: string): Promise<boolean> {
  const values = [hashKey(secret)]
  const restored = await db.query({
    text: `UPDATE api_keys SET key_hash = previous_key_hash, previous_key_hash = NULL, previous_key_until = NULL
      WHERE key_hash = $1 AND previous_key_hash IS NOT NULL`,
    values,
  })
  if (restored.rowCount > 0) return true
  const deleted = await db.query({
    text: `WITH deleted AS (DELETE FROM api_keys WHERE key_hash = $1 RETURNING id),
        limits AS (DELETE FROM llm_limits WHERE api_key_id IN (SELECT id FROM deleted))
      SELECT id FROM deleted`,
    values,
  })
  return deleted.rowCount > 0
}
