import { CommandError } from "../core/errors.ts"
import { generateKey, hashKey } from "../core/key.ts"
import type { Database, RunQuery } from "./_database.ts"
import { readIfMigrated } from "./failures.ts"
import { askGateways, type GatewayAnswers } from "./gateways.ts"
import type { BindingChange } from "./key-bindings.ts"
import { toId, toName, toPercent, toStorable } from "./key-input.ts"
import { type KeyMetadataInput, toMetadataColumns } from "./key-metadata.ts"
import { type ApiKey, KEY_COLUMNS, type KeyRow, lockKey, type NewKey, toApiKey, toOneKey } from "./key-rows.ts"
import { discardSecret } from "./key-secrets.ts"

/** A change of a key's policy. A member that is undefined stays as it is, and null removes it. */
export interface KeyPolicyChange {
  readonly expiresAt?: Date | null | undefined
  /** Patterns of models, in lower case. */
  readonly models?: readonly string[] | null | undefined
  readonly providers?: readonly string[] | null | undefined
}

interface KeyInput extends KeyMetadataInput {
  readonly name: string
  readonly description?: string | undefined
  /** In percent, such as `12.5` or `12.5%`. Nothing and 0 are no discount. */
  readonly discount?: string | undefined
  /** The provider keys to bind it to. */
  readonly bindings?: BindingChange | undefined
  readonly policy?: KeyPolicyChange | undefined
}

/**
 * Creates a key. If it throws, there is no such key, unless the database cannot be reached any more.
 * @param also what belongs to the same transaction
 */
export async function createKey(
  db: Database,
  input: KeyInput,
  also: (query: RunQuery, key: ApiKey) => Promise<void> = async () => {},
): Promise<NewKey> {
  const secret = generateKey()
  try {
    return await db.transaction(async (query) => {
      const created = await insertKey(query, input, secret)
      await also(query, created.key)
      return created
    })
  } catch (error) {
    // Nobody has seen the secret. The answer to COMMIT may have been lost, so that the key exists.
    await discardSecret(db, secret).catch(() => {})
    throw error
  }
}

/** Creates a key if there is none, not even a revoked one; else returns undefined. Of several calls at once, one creates it. */
export async function ensureFirstKey(
  db: Database,
  also: (query: RunQuery, key: ApiKey) => Promise<void> = async () => {},
): Promise<NewKey | undefined> {
  if ((await countKeys(db)) > 0) return undefined
  return db.transaction(async (query) => {
    await query("SELECT pg_advisory_xact_lock(7680, 3)")
    if ((await count(query)) > 0) return undefined
    const created = await insertKey(query, { name: "Default" })
    await also(query, created.key)
    return created
  })
}

/** Returns all keys, the oldest first. */
export async function listKeys(db: Pick<Database, "query">): Promise<ApiKey[]> {
  const { rows } = await db.query<KeyRow>(`SELECT ${KEY_COLUMNS} FROM api_keys ORDER BY created_at, id`)
  return rows.map(toApiKey)
}

/** Throws a CommandError if there is no such key. */
export async function getKey(db: Pick<Database, "query">, id: string): Promise<ApiKey> {
  return toOneKey(
    id,
    await db.query<KeyRow>({ text: `SELECT ${KEY_COLUMNS} FROM api_keys WHERE id = $1`, values: [toId(id)] }),
  )
}

/** @throws CommandError (exit code 2) if a change changes nothing */
export function rejectEmptyChange(change: Readonly<Record<string, unknown>>): void {
  if (Object.values(change).some((value) => value !== undefined)) return
  throw new CommandError(
    "nothing to change: give a name, a description, a discount, metadata, a provider key, a policy or a limit",
    2,
  )
}

/** Changes what is given. An empty description or discount removes it. Throws a CommandError if there is no such key. */
export async function updateKey(db: Pick<Database, "query">, id: string, change: Partial<KeyInput>): Promise<ApiKey> {
  const { name, description, discount, bindings, policy = {} } = change
  const { defaults, locked, required } = toMetadataColumns(change)
  return toOneKey(
    id,
    await db.query<KeyRow>({
      text: `UPDATE api_keys SET name = coalesce($2, name), updated_at = now(),
          description = CASE WHEN $3::text IS NULL THEN description ELSE nullif($3, '') END,
          discount_percent = CASE WHEN $4 THEN $5::numeric ELSE discount_percent END,
          provider_keys = nullif(jsonb_strip_nulls(coalesce(provider_keys, '{}') || coalesce($6::jsonb, '{}')), '{}'),
          default_metadata = CASE WHEN $7 THEN $8::jsonb ELSE default_metadata END,
          locked_metadata = CASE WHEN $9 THEN $10::jsonb ELSE locked_metadata END,
          required_metadata = CASE WHEN $11 THEN $12::text[] ELSE required_metadata END,
          expires_at = CASE WHEN $13 THEN $14::timestamptz ELSE expires_at END,
          allowed_models = CASE WHEN $15 THEN $16::text[] ELSE allowed_models END,
          allowed_providers = CASE WHEN $17 THEN $18::text[] ELSE allowed_providers END
        WHERE id = $1 RETURNING ${KEY_COLUMNS}`,
      values: [
        toId(id),
        name === undefined ? undefined : toName(name),
        description === undefined ? undefined : toStorable(description),
        discount !== undefined,
        toPercent(discount),
        bindings === undefined ? null : JSON.stringify(bindings),
        change.default_metadata !== undefined,
        defaults,
        change.locked_metadata !== undefined,
        locked,
        change.required_metadata !== undefined,
        required,
        policy.expiresAt !== undefined,
        policy.expiresAt,
        policy.models !== undefined,
        policy.models,
        policy.providers !== undefined,
        policy.providers,
      ],
    }),
  )
}

interface Revocation {
  readonly key: ApiKey
  readonly wasRevokedBefore: boolean
  readonly gateways: GatewayAnswers
}

/**
 * Revokes a key. When it resolves, every gateway that has acknowledged it rejects the key (see gateways.ts).
 * @param also what belongs to the same transaction
 */
export async function revokeKey(
  db: Database,
  id: string,
  also: (query: RunQuery, before: ApiKey, after: ApiKey) => Promise<void> = async () => {},
): Promise<Revocation> {
  const revoked = await db.transaction(async (query) => {
    const before = await lockKey(query, id)
    const key = await markRevoked(query, id)
    if (before.isActive) await also(query, before, key)
    return { key, wasRevokedBefore: !before.isActive }
  })
  return { ...revoked, gateways: await askGateways(db) }
}

/** Marks a key as revoked. Gateways reject it when they have heard of it: call `askGateways` after the transaction. */
async function markRevoked(query: RunQuery, id: string): Promise<ApiKey> {
  const result = await query<KeyRow>({
    text: `UPDATE api_keys SET is_active = false, revoked_at = coalesce(revoked_at, now()),
        updated_at = CASE WHEN NOT is_active OR revoked_at IS NOT NULL THEN updated_at ELSE now() END
      WHERE id = $1 RETURNING ${KEY_COLUMNS}`,
    values: [toId(id)],
  })
  return toOneKey(id, result)
}

/** Returns the number of all keys, including revoked ones. */
export function countKeys(db: Database): Promise<number> {
  return count(db.query)
}

async function count(query: RunQuery): Promise<number> {
  return (await query<{ keys: number }>("SELECT count(*)::int AS keys FROM api_keys")).rows[0]!.keys
}

async function insertKey(query: RunQuery, input: KeyInput, secret = generateKey()): Promise<NewKey> {
  const name = toName(input.name)
  const description = input.description ? toStorable(input.description) : undefined
  const { defaults, locked, required } = toMetadataColumns(input)
  const { rows } = await query<KeyRow>({
    text: `INSERT INTO api_keys (key_hash, name, description, discount_percent, default_metadata, locked_metadata, required_metadata, provider_keys,
        expires_at, allowed_models, allowed_providers)
      VALUES ($1, $2, $3, $4, $5, $6, $7, nullif(jsonb_strip_nulls($8::jsonb), '{}'), $9, $10, $11) RETURNING ${KEY_COLUMNS}`,
    values: [
      hashKey(secret),
      name,
      description,
      toPercent(input.discount),
      defaults,
      locked,
      required,
      JSON.stringify(input.bindings ?? {}),
      input.policy?.expiresAt,
      input.policy?.models,
      input.policy?.providers,
    ],
  })
  return { key: toApiKey(rows[0]!), secret }
}

interface ExpiringKey {
  readonly name: string
  readonly expiresAt: Date
}

/**
 * Returns the active keys that expire in a period, the first one first. Keys of a schema that has not been migrated yet do not
 * expire.
 */
export async function listExpiringKeys(
  { query }: Pick<Database, "query">,
  { from, until }: { readonly from: Date; readonly until: Date },
): Promise<readonly ExpiringKey[]> {
  const text = `SELECT name, at AS "expiresAt"
    FROM api_keys k, LATERAL (SELECT (to_jsonb(k) ->> 'expires_at')::timestamptz AS at) AS expiry
    WHERE is_active AND revoked_at IS NULL AND at > $1 AND at <= $2 ORDER BY at, name`
  return readIfMigrated(async () => (await query<ExpiringKey>({ text, values: [from, until] })).rows)
}
