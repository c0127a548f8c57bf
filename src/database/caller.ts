import type { Caller } from "../core/call.ts"
import type { KeyPolicy } from "../core/key-policy.ts"
import { toDiscountFactor } from "../core/own-prices.ts"
import { type KeyMetadataRow, toKeyMetadata } from "./key-metadata.ts"

/**
 * The columns of `api_keys k` that a gateway reads. `to_jsonb` also reads a schema that has not been migrated yet, which lacks
 * columns. Its keys are valid as well.
 */
export const CALLER_COLUMNS = `id, name, to_jsonb(k) ->> 'discount_percent' AS percent,
  extract(epoch FROM (to_jsonb(k) ->> 'expires_at')::timestamptz)::float8 AS expires_s,
  ${["provider_keys", "default_metadata", "locked_metadata", "required_metadata", "allowed_models", "allowed_providers"]
    .map(toColumn)
    .join(", ")}`

export interface CallerRow extends KeyMetadataRow {
  readonly id: string
  readonly name: string
  readonly percent: string | null
  readonly provider_keys: Caller["providerKeys"] | null
  /** Seconds since the epoch. */
  readonly expires_s: number | null
  /** The same for a secret that was replaced; null for the key's present one. */
  readonly secret_ends_s: number | null
  readonly allowed_models: readonly string[] | null
  readonly allowed_providers: readonly string[] | null
}

export function toCaller(row: CallerRow): Caller {
  return {
    keyId: row.id,
    keyName: row.name,
    discountFactor: row.percent === null ? undefined : toDiscountFactor(row.percent),
    metadata: toKeyMetadata(row),
    providerKeys: row.provider_keys ?? undefined,
    policy: toPolicy(row),
  }
}

/** Returns undefined if there is no policy, so that requests of such a key cost nothing. */
function toPolicy(row: CallerRow): KeyPolicy | undefined {
  const { expires_s: expires, secret_ends_s: ends, allowed_models: models, allowed_providers: providers } = row
  if (expires === null && ends === null && models === null && providers === null) return undefined
  return {
    expiresAt: expires === null ? undefined : expires * 1000,
    secretEndsAt: ends === null ? undefined : ends * 1000,
    models: models?.map((each) => each.toLowerCase()),
    providers: providers?.map((each) => each.toLowerCase()),
  }
}

/** A column of NULL is the value `null` of JSON. */
function toColumn(name: string): string {
  return `nullif(to_jsonb(k) -> '${name}', 'null') AS ${name}`
}
