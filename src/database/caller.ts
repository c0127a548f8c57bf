import type { Caller } from "../core/call.ts"
import { toDiscountFactor } from "../core/own-prices.ts"

/**
 * What a gateway reads of a row of `api_keys k`. `to_jsonb` also reads a schema that has not been migrated yet, which lacks
 * columns. Its keys are valid as well.
 */
export const CALLER_COLUMNS = `id, key_hash, to_jsonb(k) ->> 'discount_percent' AS percent,
  to_jsonb(k) -> 'provider_keys' AS provider_keys`

export interface CallerRow {
  readonly id: string
  readonly key_hash: string
  readonly percent: string | null
  readonly provider_keys: Caller["providerKeys"] | null
}

export function toCaller({ id, percent, provider_keys: providerKeys }: CallerRow): Caller {
  return {
    keyId: id,
    discountFactor: percent === null ? undefined : toDiscountFactor(percent),
    providerKeys: providerKeys ?? undefined,
  }
}
