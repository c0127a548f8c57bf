import type { BoundKey } from "../../database/key-bindings.ts"
import type { ProviderKeyRow } from "../../database/provider-keys.ts"
import type { Kind } from "../../vault/secret.ts"

/** A provider key as JSON shows it. Its secret is not part of it. Times are ISO 8601 in UTC. */
export interface ProviderKey {
  readonly id: string
  readonly provider: string
  /** Its name, which is unique among the keys of its provider. */
  readonly alias: string
  readonly kind: Kind
  readonly status: "active" | "removed"
  /** Whether API keys use it that are bound to no other key of its provider. */
  readonly is_default: boolean
  /** The last four characters of the key, or of the id of an access key; "" for a short one. */
  readonly last_four: string
  /** The id of the vault key with which it is encrypted. */
  readonly vault_key_id: string | null
  readonly created_at: string
  readonly created_by: string
  readonly rotated_at: string | null
  readonly last_used_at: string | null
  readonly removed_at: string | null
}

/** A provider key with the API keys that are bound to it. */
export interface ListedProviderKey extends ProviderKey {
  readonly bound_keys: readonly { readonly id: string; readonly name: string }[]
}

/** Returns the public form of a stored provider key. */
export function toProviderKey(row: ProviderKeyRow): ProviderKey {
  return {
    id: row.id,
    provider: row.provider,
    alias: row.alias,
    kind: row.kind,
    status: row.removed_at === null ? "active" : "removed",
    is_default: row.is_default,
    last_four: row.last_four,
    vault_key_id: row.key_id,
    created_at: row.created_at.toISOString(),
    created_by: row.created_by,
    rotated_at: row.rotated_at?.toISOString() ?? null,
    last_used_at: row.last_used_at?.toISOString() ?? null,
    removed_at: row.removed_at?.toISOString() ?? null,
  }
}

/** Adds the API keys that are bound to a provider key. */
export function withBoundKeys(key: ProviderKey, bound: readonly BoundKey[]): ListedProviderKey {
  const own = bound.filter(({ providerKeyId }) => providerKeyId === key.id)
  return { ...key, bound_keys: own.map(({ id, name }) => ({ id, name })) }
}
