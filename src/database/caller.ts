import type { Caller } from "../core/call.ts"
import { toDiscountFactor } from "../core/own-prices.ts"
import { type KeyMetadataRow, toKeyMetadata } from "./key-metadata.ts"

/**
 * The columns of `api_keys k` that a gateway reads. `to_jsonb` also reads a schema that has not been migrated yet, which lacks
 * columns. Its keys are valid as well.
 */
export const CALLER_COLUMNS = `id, key_hash, to_jsonb(k) ->> 'discount_percent' AS percent,
  ${["provider_keys", "default_metadata", "locked_metadata", "required_metadata"].map(toColumn).join(", ")}`

export interface CallerRow extends KeyMetadataRow {
  readonly id: string
  readonly key_hash: string
  readonly percent: string | null
  readonly provider_keys: Caller["providerKeys"] | null
}

export function toCaller(row: CallerRow): Caller {
  return {
    keyId: row.id,
    discountFactor: row.percent === null ? undefined : toDiscountFactor(row.percent),
    metadata: toKeyMetadata(row),
    providerKeys: row.provider_keys ?? undefined,
  }
}

/** A column of NULL is the value `null` of JSON. */
function toColumn(name: string): string {
  return `nullif(to_jsonb(k) -> '${name}', 'null') AS ${name}`
}
