import type { JsonObject } from "../_fold.ts"
import { decimalOf, objectOf, plainDecimal } from "../_values.ts"

/** One US dollar in xAI's `cost_in_usd_ticks`. */
const TICK_DIGITS = 10

/**
 * What the provider itself charged, in USD; undefined when it says nothing or 0 (Azure's Grok says 0 and charges).
 * OpenRouter: `cost`; with the caller's own key (`is_byok`) `cost` is only its fee, and the upstream's price comes on
 * top. Perplexity: `cost.total_cost`. xAI: ticks of 1e-10 dollars.
 */
export function readReportedCost(usage: JsonObject): string | undefined {
  const ticks = usage["cost_in_usd_ticks"]
  if (typeof ticks === "number" && ticks > 0 && Number.isSafeInteger(ticks)) {
    return plainDecimal(`${ticks}e-${TICK_DIGITS}`)
  }
  const parts = objectOf(usage["cost"])
  if (parts)
    return parts["currency"] === undefined || parts["currency"] === "USD" ? decimalOf(parts["total_cost"]) : undefined
  const cost = usage["cost"]
  if (usage["is_byok"] === true) {
    const upstream = objectOf(usage["cost_details"])?.["upstream_inference_cost"]
    const fee = typeof cost === "number" && cost > 0 ? cost : 0
    return typeof upstream === "number" ? decimalOf(upstream + fee) : undefined
  }
  return decimalOf(cost)
}
