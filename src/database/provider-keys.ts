import { NotFoundError } from "../core/errors.ts"
import { isUuid } from "../kit/uuid.ts"
import type { Database, RunQuery } from "./_database.ts"
import { readIfMigrated } from "./failures.ts"

/** A provider key without its secret. */
export interface ProviderKeyRow {
  readonly id: string
  readonly provider: string
  readonly alias: string
  readonly kind: "key" | "aws" | "google"
  /** The vault key that encrypted it; null once it is removed. */
  readonly key_id: string | null
  readonly last_four: string
  readonly is_default: boolean
  readonly created_at: Date
  readonly created_by: string
  readonly rotated_at: Date | null
  readonly last_used_at: Date | null
  readonly removed_at: Date | null
}

/** An encrypted secret, as the vault makes it. */
interface Encrypted {
  readonly ciphertext: Buffer
  readonly nonce: Buffer
  readonly keyId: string
}

interface EncryptedRow extends Encrypted {
  readonly id: string
  readonly provider: string
  readonly alias: string
  readonly isDefault: boolean
  /** The time of the last rotation as text; "" if there was none. */
  readonly rotation: string
}

const COLUMNS =
  "id, provider, alias, kind, key_id, last_four, is_default, created_at, created_by, rotated_at, last_used_at, removed_at"
const READ_TIMEOUT_MS = 2_000

/** Returns the encrypted keys that are not removed; none in a database whose schema has no such table yet. */
export function readEncryptedKeys(db: Pick<Database, "query">): Promise<readonly EncryptedRow[]> {
  const query = {
    text: `SELECT id, provider, alias, ciphertext, nonce, key_id AS "keyId", is_default AS "isDefault",
        coalesce(rotated_at::text, '') AS rotation
      FROM provider_api_keys WHERE removed_at IS NULL ORDER BY id`,
    timeoutMs: READ_TIMEOUT_MS,
  }
  return readIfMigrated(async () => (await db.query<EncryptedRow>(query)).rows)
}

/** Returns all keys, the removed ones included, by provider and then the oldest first. */
export async function listProviderKeys(query: RunQuery): Promise<ProviderKeyRow[]> {
  const { rows } = await query<ProviderKeyRow>(
    `SELECT ${COLUMNS} FROM provider_api_keys ORDER BY provider, created_at, id`,
  )
  return rows
}

/**
 * Makes other changes of provider keys wait for the transaction, so that each provider has one default.
 */
export async function lockProviderKeys(query: RunQuery): Promise<void> {
  await query("LOCK TABLE provider_api_keys IN SHARE ROW EXCLUSIVE MODE")
}

/**
 * Finds a key by its id, or by `PROVIDER:ALIAS` among those that are not removed.
 *
 * @throws NotFoundError if there is none
 */
export async function findProviderKey(query: RunQuery, reference: string): Promise<ProviderKeyRow> {
  const [provider = "", ...rest] = reference.split(":")
  const { rows } = isUuid(reference)
    ? await query<ProviderKeyRow>({
        text: `SELECT ${COLUMNS} FROM provider_api_keys WHERE id = $1`,
        values: [reference],
      })
    : await query<ProviderKeyRow>({
        text: `SELECT ${COLUMNS} FROM provider_api_keys WHERE provider = $1 AND alias = $2 AND removed_at IS NULL`,
        values: [provider.toLowerCase(), rest.join(":")],
      })
  if (rows[0] !== undefined) return rows[0]
  throw new NotFoundError(
    "there is no provider key with this id or name, such as openai:default: see provider-keys list",
  )
}

interface NewProviderKey extends Encrypted {
  readonly id: string
  readonly provider: string
  readonly alias: string
  readonly kind: string
  readonly lastFour: string
  readonly isDefault: boolean
  readonly createdBy: string
}

export async function insertProviderKey(query: RunQuery, key: NewProviderKey): Promise<ProviderKeyRow> {
  const { rows } = await query<ProviderKeyRow>({
    text: `INSERT INTO provider_api_keys (id, provider, alias, kind, ciphertext, nonce, key_id, last_four, is_default, created_by)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING ${COLUMNS}`,
    values: [
      key.id,
      key.provider,
      key.alias,
      key.kind,
      key.ciphertext,
      key.nonce,
      key.keyId,
      key.lastFour,
      key.isDefault,
      key.createdBy,
    ],
  })
  return rows[0]!
}

/** Replaces the secret of a key. `rotated`: it is another secret, and not the same one under another vault key. */
export async function replaceSecret(
  query: RunQuery,
  id: string,
  secret: Encrypted,
  rotated?: { readonly kind: string; readonly lastFour: string },
): Promise<ProviderKeyRow> {
  const { rows } = await query<ProviderKeyRow>({
    text: `UPDATE provider_api_keys SET ciphertext = $2, nonce = $3, key_id = $4, kind = coalesce($5, kind),
        last_four = coalesce($6, last_four), rotated_at = CASE WHEN $5::text IS NULL THEN rotated_at ELSE now() END
      WHERE id = $1 RETURNING ${COLUMNS}`,
    values: [id, secret.ciphertext, secret.nonce, secret.keyId, rotated?.kind, rotated?.lastFour],
  })
  return rows[0]!
}

/** Makes a key the default of its provider, in place of the one that was. */
export async function makeDefault(query: RunQuery, { id, provider }: ProviderKeyRow): Promise<ProviderKeyRow> {
  await clearDefault(query, provider)
  const text = `UPDATE provider_api_keys SET is_default = true WHERE id = $1 RETURNING ${COLUMNS}`
  return (await query<ProviderKeyRow>({ text, values: [id] })).rows[0]!
}

export async function clearDefault(query: RunQuery, provider: string): Promise<void> {
  const text =
    "UPDATE provider_api_keys SET is_default = false WHERE provider = $1 AND is_default AND removed_at IS NULL"
  await query({ text, values: [provider] })
}

/** Deletes the secret of a key, and marks the key as removed. */
export async function markRemoved(query: RunQuery, id: string): Promise<ProviderKeyRow> {
  const { rows } = await query<ProviderKeyRow>({
    text: `UPDATE provider_api_keys SET removed_at = now(), ciphertext = NULL, nonce = NULL, key_id = NULL, is_default = false
      WHERE id = $1 RETURNING ${COLUMNS}`,
    values: [id],
  })
  return rows[0]!
}

/** Notes that keys were used. A later time of another gateway stays. */
export async function noteUse(db: Pick<Database, "query">, ids: readonly string[]): Promise<void> {
  await db.query({
    text: "UPDATE provider_api_keys SET last_used_at = greatest(last_used_at, now()) WHERE id = ANY ($1)",
    values: [ids],
    timeoutMs: READ_TIMEOUT_MS,
  })
}
