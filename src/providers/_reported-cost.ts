import { type JsonObject, objectOf, plainDecimal } from "./_values.ts"

/** xAI counts its `cost_in_usd_ticks` in 1e-10 US dollars. */
const TICK_DIGITS = 10

/** The cost that the provider itself reports, as members of a reading. */
interface ReportedCost {
  /** USD as plain decimal text; undefined if the provider states nothing. */
  readonly reportedCostUsd: string | undefined
  readonly isReportedCostEstimated?: true
}

const NOTHING: ReportedCost = { reportedCostUsd: undefined }

/**
 * Returns what the provider itself charged, in any dialect: the members stand in the usage object. 0 is a cost.
 * - OpenRouter: `cost`. With the client's own key (`is_byok`) that is only its fee, and the upstream's price is added
 * - Perplexity: `cost.total_cost`
 * - xAI: `cost_in_usd_ticks`, for tokens, pictures and videos
 * - DeepInfra: `estimated_cost`
 */
export function readReportedCost(usage: JsonObject): ReportedCost {
  const ticks = usage["cost_in_usd_ticks"]
  if (typeof ticks === "number" && ticks >= 0 && Number.isSafeInteger(ticks)) {
    return reported(plainDecimal(`${ticks}e-${TICK_DIGITS}`))
  }
  const cost = usage["cost"]
  if (cost !== undefined) return reported(costIn(usage, cost))
  const estimate = costText(usage["estimated_cost"])
  return estimate === undefined ? NOTHING : { reportedCostUsd: estimate, isReportedCostEstimated: true }
}

/** Returns true if the usage object states a cost. */
export function reportsCost(usage: JsonObject): boolean {
  return readReportedCost(usage).reportedCostUsd !== undefined
}

function costIn(usage: JsonObject, cost: unknown): string | undefined {
  const parts = objectOf(cost)
  if (parts) {
    return parts["currency"] === undefined || parts["currency"] === "USD" ? costText(parts["total_cost"]) : undefined
  }
  if (usage["is_byok"] !== true) return costText(cost)
  const upstream = objectOf(usage["cost_details"])?.["upstream_inference_cost"]
  const fee = typeof cost === "number" && cost > 0 ? cost : 0
  return typeof upstream === "number" ? costText(upstream + fee) : undefined
}

function reported(reportedCostUsd: string | undefined): ReportedCost {
  return reportedCostUsd === undefined ? NOTHING : { reportedCostUsd }
}

/** Returns a cost as decimal text without exponent: `6e-8` is `0.00000006`. undefined: negative or not finite. */
function costText(value: unknown): string | undefined {
  if (typeof value !== "number" || !(value >= 0) || !Number.isFinite(value)) return undefined
  return plainDecimal(String(value))
}
