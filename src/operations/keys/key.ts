import type { Limit } from "../../core/limit.ts"
import type { RunQuery } from "../../database/_database.ts"
import type { Binding } from "../../database/key-bindings.ts"
import type { ApiKey } from "../../database/key-rows.ts"
import { listLimits } from "../../database/limits.ts"

/** An API key as JSON shows it. Its secret is not part of it. Times are ISO 8601 in UTC. */
export interface Key {
  readonly id: string
  readonly name: string
  readonly description: string | null
  /** The discount on the provider's list prices for this key, in percent: `"12.5"`. */
  readonly discount_percent: string | null
  /** The provider keys that it is bound to. Its requests use no other one of these providers. */
  readonly provider_keys: readonly Binding[]
  /** Values for requests that have none, by name. */
  readonly default_metadata: Readonly<Record<string, string>>
  /** Values that replace those of the client, by name. */
  readonly locked_metadata: Readonly<Record<string, string>>
  /** The names without which a request is rejected. */
  readonly required_metadata: readonly string[]
  /** When it expires; null: never. */
  readonly expires_at: string | null
  /** Patterns of the models that it may use; null: any. */
  readonly models: readonly string[] | null
  /** The providers that it may use; null: any. */
  readonly providers: readonly string[] | null
  /** Until when the secret before the last rotation works; null: it does not. */
  readonly previous_secret_until: string | null
  /** The limits on this key alone. Others may apply to its requests too. */
  readonly limits: readonly Pick<Limit, "name" | "measure" | "amount" | "window">[]
  readonly status: "active" | "expired" | "revoked"
  readonly created_at: string
  readonly revoked_at: string | null
  readonly last_used_at: string | null
  readonly request_count: number
}

/**
 * Reads what the public form of keys needs besides their rows, and returns the function that makes it.
 * @param now in milliseconds since the epoch
 */
export async function readKeyView(query: RunQuery, now: number): Promise<(key: ApiKey) => Key> {
  const limits = await listLimits({ query })
  return (key) => toKey(key, now, limits)
}

/** Returns the public form of a stored key. */
export function toKey(key: ApiKey, now: number, limits: readonly Limit[]): Key {
  const isPast = (at: string | undefined) => at !== undefined && Date.parse(at) <= now
  return {
    id: key.id,
    name: key.name,
    description: key.description ?? null,
    discount_percent: key.discountPercent ?? null,
    provider_keys: key.bindings,
    default_metadata: key.metadata?.defaults ?? {},
    locked_metadata: key.metadata?.locked ?? {},
    required_metadata: key.metadata?.required ?? [],
    expires_at: key.expiresAt ?? null,
    models: key.models ?? null,
    providers: key.providers ?? null,
    previous_secret_until: isPast(key.previousSecretUntil) ? null : (key.previousSecretUntil ?? null),
    limits: limits
      .filter((limit) => limit.key === key.id)
      .map(({ name, measure, amount, window }) => ({ name, measure, amount, window })),
    status: !key.isActive ? "revoked" : isPast(key.expiresAt) ? "expired" : "active",
    created_at: key.createdAt,
    revoked_at: key.revokedAt ?? null,
    last_used_at: key.lastUsedAt ?? null,
    request_count: key.requestCount,
  }
}
