import type { CostFactor, RateName } from "../core/cost.ts"
import { PRIORITY, ULTRAFAST } from "./priority.ts"

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
  const apply = (name: string, value: string | undefined) => {
    if (value === undefined) doubts.push(`no price known for ${name} of ${model}: list price taken`)
    else if (value !== "1") factors.push({ name, value })
  }
  const tier = TIER_ALIASES[served.tier ?? "default"] ?? served.tier ?? "default"
  if (tier === "prepaid")
    return { factors, doubts, unsure: {}, prepaid: "provisioned throughput is paid for by the hour" }
  const keepsCacheRate = provider === "google" && HALF[tier] !== undefined && FULL_CACHE_RATE.test(model)
  if (keepsCacheRate) factors.push({ name: `tier ${tier}`, value: "0.5", except: CACHE_READS })
  else if (tier !== "default") apply(`tier ${tier}`, tierFactor(provider, model, tier))
  if (tier === "batch" && NOT_HALF.has(model)) doubts.push(`the batch price of ${model} is not certain: half taken`)
  if (served.speed !== undefined && served.speed !== "standard") {
    apply(`speed ${served.speed}`, served.speed === "fast" ? FAST[model] : undefined)
  }
  if (served.geo !== undefined && !ANYWHERE.has(served.geo)) {
    apply(`region ${served.geo}`, regionFactor(provider, model, served.geo))
  }
  return { factors, doubts, unsure: keepsCacheRate ? unsureCache(tier, model) : {}, prepaid: undefined }
}

const TIER_ALIASES: Readonly<Record<string, string>> = {
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
}

/** The providers that bill half the price for work that can wait, by tier. Groq's flex costs as much as on-demand. */
const HALF: Readonly<Record<string, readonly string[]>> = {
  batch: ["openai", "azure", "anthropic", "google", "groq", "mistral"],
  flex: ["openai", "google"],
}

/**
 * Gemini models whose cached tokens cost as much in batch and flex as in standard, by LiteLLM's map of November 2026. No
 * second source confirms it, so such a row is estimated. Newer models halve cached tokens as well.
 */
const FULL_CACHE_RATE = /^gemini-(?:2\.5-(?:pro|flash|flash-lite)|3-(?:flash|pro)-preview|3\.1-pro-preview)$/
const CACHE_READS: readonly RateName[] = ["cacheRead", "cacheReadAudio", "cacheReadImage"]

function unsureCache(tier: string, model: string): Multipliers["unsure"] {
  const reason = `cached input of ${model} in the tier ${tier}: the full rate is taken from one list only`
  return Object.fromEntries(CACHE_READS.map((name) => [name, reason]))
}

/** Models whose batch price is not half of the list price by LiteLLM's map of November 2026; OpenAI's page was not read. */
const NOT_HALF: ReadonlySet<string> = new Set(["ft:gpt-4o", "gpt-3.5-turbo-1106"])

/** Gemini models with a priority tier. 2.5: LiteLLM's map of November 2026 and hivebook.wiki; Google: "75 % to 100 % more". */
const GEMINI_PRIORITY = /^gemini-(?:2\.5-(?:pro|flash|flash-lite|flash-image)$|[3-9])/

function tierFactor(provider: string, model: string, tier: string): string | undefined {
  if (HALF[tier]?.includes(provider)) return "0.5"
  if (provider === "groq" && tier === "flex") return "1"
  if (tier === "ultrafast") return provider === "openai" ? ULTRAFAST[model] : undefined
  if (tier !== "priority") return undefined
  if (provider === "google") return GEMINI_PRIORITY.test(model) ? "1.8" : undefined
  return provider === "openai" ? PRIORITY[model] : undefined
}

/**
 * The multipliers of Anthropic's fast mode. Opus 5.5, with 8 and 40 USD instead of 4 and 20: LiteLLM's release note for it
 * and TheKrush/PromptFuel v1.0.21 of 2026-09-23.
 */
const FAST: Readonly<Record<string, string>> = {
  "claude-opus-4-6": "6",
  "claude-opus-4-7": "6",
  "claude-opus-4-8": "2",
  "claude-opus-5": "2",
  "claude-opus-5-5": "2",
}

const ANYWHERE: ReadonlySet<string> = new Set(["", "global", "not_available", "default"])

/** Claude models older than `inference_geo`, which costs nothing for them. */
const BEFORE_GEO = /^claude-(?:[123v]|instant|(?:opus|sonnet|haiku)-4-[015]$)/
/** OpenAI models released since 2026-03-05 (GPT-5.4 and newer), which cost 10 % more in a region. */
const OPENAI_REGIONAL = /^gpt-(?:5\.[4-9]|[6-9])/

function regionFactor(provider: string, model: string, geo: string): string | undefined {
  if (provider === "anthropic") return geo !== "us" ? undefined : BEFORE_GEO.test(model) ? "1" : "1.1"
  if (provider === "openai") return geo !== "us" && geo !== "eu" ? undefined : OPENAI_REGIONAL.test(model) ? "1.1" : "1"
  return undefined
}
