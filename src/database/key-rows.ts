import type { KeyMetadata } from "../core/call.ts"
import { NotFoundError } from "../core/errors.ts"
import type { RunQuery } from "./_database.ts"
import { BINDINGS, type Binding } from "./key-bindings.ts"
import { toId } from "./key-input.ts"
import { type KeyMetadataRow, toKeyMetadata } from "./key-metadata.ts"

/** An API key without its secret, which is not stored. Times are ISO 8601 in UTC. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly description: string | undefined
  /** The discount on the provider's list prices for this key, in percent: `"12.5"`. */
  readonly discountPercent: string | undefined
  /** The provider keys that it is bound to. */
  readonly bindings: readonly Binding[]
  readonly metadata: KeyMetadata | undefined
  readonly expiresAt: string | undefined
  /** Patterns of the models that it may use; undefined: any. */
  readonly models: readonly string[] | undefined
  readonly providers: readonly string[] | undefined
  /** When the secret before the last rotation ends, or ended; undefined: there is none, or it ended at the rotation. */
  readonly previousSecretUntil: string | undefined
  readonly isActive: boolean
  readonly createdAt: string
  readonly updatedAt: string
  readonly revokedAt: string | undefined
  readonly lastUsedAt: string | undefined
  readonly requestCount: number
}

export interface NewKey {
  readonly key: ApiKey
  /** The key itself, which can be shown only now. */
  readonly secret: string
}

export const KEY_COLUMNS = `id, name, description, trim_scale(discount_percent) AS discount_percent, default_metadata,
  locked_metadata, required_metadata, expires_at, allowed_models, allowed_providers, previous_key_until, is_active,
  created_at, updated_at, revoked_at, last_used_at, request_count, ${BINDINGS}`

export interface KeyRow extends KeyMetadataRow {
  readonly id: string
  readonly name: string
  readonly description: string | null
  readonly discount_percent: string | null
  readonly expires_at: Date | null
  readonly allowed_models: readonly string[] | null
  readonly allowed_providers: readonly string[] | null
  readonly previous_key_until: Date | null
  readonly is_active: boolean
  readonly created_at: Date
  readonly updated_at: Date
  readonly revoked_at: Date | null
  readonly last_used_at: Date | null
  readonly request_count: string
  readonly bindings: readonly Binding[] | null
}

export function toApiKey(row: KeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    description: row.description ?? undefined,
    discountPercent: row.discount_percent ?? undefined,
    bindings: row.bindings ?? [],
    metadata: toKeyMetadata(row),
    expiresAt: row.expires_at?.toISOString(),
    models: row.allowed_models ?? undefined,
    providers: row.allowed_providers ?? undefined,
    previousSecretUntil: row.previous_key_until?.toISOString(),
    isActive: row.is_active && row.revoked_at === null,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    revokedAt: row.revoked_at?.toISOString(),
    lastUsedAt: row.last_used_at?.toISOString(),
    requestCount: Number(row.request_count),
  }
}

export function toOneKey(id: string, { rows }: { readonly rows: readonly KeyRow[] }): ApiKey {
  if (rows[0] === undefined) throw new NotFoundError(`there is no API key with the id ${id}: see keys list`)
  return toApiKey(rows[0])
}

/** Returns a key, and makes other changes of it wait for the transaction. Throws a CommandError if there is no such key. */
export async function lockKey(query: RunQuery, id: string): Promise<ApiKey> {
  const text = `SELECT ${KEY_COLUMNS} FROM api_keys WHERE id = $1 FOR UPDATE`
  return toOneKey(id, await query<KeyRow>({ text, values: [toId(id)] }))
}
