import type { CostFactor, RateName } from "../core/cost.ts"
import { createTable } from "../core/table.ts"
import { doubtOfOrigin } from "./origins.ts"
import { FAST, GEMINI_PRIORITY, type Multiple, PRIORITY, REGIONS, ULTRAFAST, WAITING } from "./priority.ts"

/** How a request was served, as the provider reported it. */
export interface Served {
  readonly tier: string | undefined
  readonly speed: string | undefined
  readonly geo: string | undefined
}

interface Multipliers {
  readonly factors: readonly CostFactor[]
  /** The reported tiers, speeds and regions without a known price. The list price is used for them. */
  readonly doubts: readonly string[]
  /** The buckets whose price in this tier is not certain, with the reason. */
  readonly unsure: { readonly [K in RateName]?: string }
  /** The reason why tokens are not billed, if the capacity is paid for in another way. */
  readonly prepaid: string | undefined
}

/**
 * Returns the multipliers of a request at a provider of the catalog, for a model of the catalog.
 *
 * Worked example: at `openai`, the tier `flex` gives the factor `{ name: "tier flex", value: "0.5" }`.
 */
export function multipliersOf(provider: string, model: string, served: Served): Multipliers {
  const factors: CostFactor[] = []
  const doubts: string[] = []
  const apply = (name: string, multiple: Multiple | undefined, except?: readonly RateName[]) => {
    if (multiple === undefined) {
      doubts.push(`no price known for ${name} of ${model}: list price taken`)
      return
    }
    const [value, origin] = multiple
    const doubt = doubtOfOrigin(`the price of ${name} at ${provider}`, origin)
    if (doubt !== undefined) doubts.push(doubt)
    if (value !== "1") factors.push(except ? { name, value, except } : { name, value })
  }
  const tier = TIER_ALIASES[served.tier ?? "default"] ?? served.tier ?? "default"
  if (tier === "prepaid")
    return { factors, doubts, unsure: {}, prepaid: "provisioned throughput is paid for by the hour" }
  const keepsCacheRate = provider === "google" && Object.hasOwn(WAITING, tier) && FULL_CACHE_RATE.test(model)
  if (tier !== "default") {
    apply(`tier ${tier}`, tierMultiple(provider, model, tier), keepsCacheRate ? CACHE_READS : undefined)
  }
  if (tier === "batch" && NOT_HALF.has(model)) doubts.push(`the batch price of ${model} is not certain: half taken`)
  if (served.speed !== undefined && served.speed !== "standard") {
    apply(`speed ${served.speed}`, served.speed === "fast" ? FAST[model] : undefined)
  }
  if (served.geo !== undefined && !ANYWHERE.has(served.geo)) {
    apply(`region ${served.geo}`, regionMultiple(provider, model, served.geo))
  }
  return { factors, doubts, unsure: keepsCacheRate ? unsureCache(tier, model) : {}, prepaid: undefined }
}

const TIER_ALIASES: Readonly<Record<string, string>> = createTable({
  "": "default",
  auto: "default",
  standard: "default",
  standard_only: "default",
  on_demand: "default",
  traffic_type_unspecified: "default",
  unspecified: "default",
  service_tier_unspecified: "default",
  service_tier_standard: "default",
  service_tier_flex: "flex",
  service_tier_priority: "priority",
  on_demand_flex: "flex",
  on_demand_priority: "priority",
  provisioned_throughput: "prepaid",
  // OpenAI serves a request for `fast` with `priority`.
  fast: "priority",
})

/**
 * Gemini models whose cached tokens cost as much in batch and flex as in standard, by LiteLLM's map of November 2026.
 * Google's page on batches says so of the batches of 2.5, so the rest is estimated. Newer models halve cached tokens too.
 */
const FULL_CACHE_RATE = /^gemini-(?:2\.5-(?:pro|flash|flash-lite)|3-(?:flash|pro)-preview|3\.1-pro-preview)$/
const CACHE_READS: readonly RateName[] = ["cacheRead", "cacheReadAudio", "cacheReadImage"]

function unsureCache(tier: string, model: string): Multipliers["unsure"] {
  const reason = `cached input of ${model} in the tier ${tier}: the full rate is taken from one list only`
  return Object.fromEntries(CACHE_READS.map((name) => [name, reason]))
}

/** Models whose batch price is not half of the list price by LiteLLM's map of November 2026; OpenAI's page was not read. */
const NOT_HALF: ReadonlySet<string> = new Set(["ft:gpt-4o", "gpt-3.5-turbo-1106"])

/** Gemini models with a priority tier. */
const HAS_PRIORITY = /^gemini-(?:2\.5-(?:pro|flash|flash-lite|flash-image)$|3(?:\.\d)?-)/

function tierMultiple(provider: string, model: string, tier: string): Multiple | undefined {
  if (Object.hasOwn(WAITING, tier)) return WAITING[tier]![provider]
  if (tier === "ultrafast") return provider === "openai" ? ULTRAFAST[model] : undefined
  if (tier !== "priority") return undefined
  if (provider === "google") return HAS_PRIORITY.test(model) ? GEMINI_PRIORITY : undefined
  return provider === "openai" ? PRIORITY[model] : undefined
}

const ANYWHERE: ReadonlySet<string> = new Set(["", "global", "not_available", "default"])

/** Claude models older than `inference_geo`, which costs nothing for them. */
const BEFORE_GEO = /^claude-(?:[123v]|instant|(?:opus|sonnet|haiku)-4-[015]$)/
/** OpenAI models released since 2026-03-05 (GPT-5.4 and newer), which cost 10 % more in a region. */
const OPENAI_REGIONAL = /^gpt-(?:5\.[4-9]|[6-9])/

/** Claude models before Sonnet 4.5, which cost the same in each region of Vertex AI. */
const BEFORE_REGIONS = /^claude-(?:[123v]|instant|4-(?:opus|sonnet)$|(?:opus|sonnet)-4(?:-[01])?$)/
/** Gemini models that cost more in a region of Vertex AI. */
const GEMINI_REGIONAL = /^gemini-(?:3\.1-flash-(?:image|lite)|3\.[5-9]|[4-9])/

function regionMultiple(provider: string, model: string, geo: string): Multiple | undefined {
  // The catalog has models of their own for the regions of Bedrock.
  if (provider === "aws") return ["1", "cloudRegions"]
  if (provider === "google") return vertexMultiple(model)
  const rise = REGIONS[provider]
  if (!rise || (geo !== "us" && (geo !== "eu" || provider === "anthropic"))) return undefined
  const hasRise = provider === "anthropic" ? !BEFORE_GEO.test(model) : OPENAI_REGIONAL.test(model)
  return hasRise ? rise : ["1", rise[1]]
}

function vertexMultiple(model: string): Multiple | undefined {
  if (model.startsWith("claude-")) return [BEFORE_REGIONS.test(model) ? "1" : "1.1", "cloudRegions"]
  if (!model.startsWith("gemini-")) return undefined
  return GEMINI_REGIONAL.test(model) ? ["1.1", "vertexGemini"] : ["1", "vertexOldGemini"]
}
