import { decimalOf, type JsonObject, objectOf, plainDecimal } from "../_values.ts"

/** xAI counts its `cost_in_usd_ticks` in 1e-10 US dollars. */
const TICK_DIGITS = 10

/**
 * Returns what the provider itself charged, in USD. undefined: it states nothing, or 0, because Azure's Grok states 0 and
 * charges. Where each provider states it:
 * - OpenRouter: `cost`. With the client's own key (`is_byok`) that is only its fee, and the upstream's price is added
 * - Perplexity: `cost.total_cost`
 * - xAI: `cost_in_usd_ticks`
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
