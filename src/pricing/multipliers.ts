import { PRIORITY } from "./priority.ts"

/** How a request was served, as the provider reported it. */
export interface Served {
  readonly tier: string | undefined
  readonly speed: string | undefined
  readonly geo: string | undefined
}

interface Multipliers {
  readonly factors: readonly { readonly name: string; readonly value: string }[]
  /** The reported tiers, speeds and regions without a known price. The list price is used for them. */
  readonly doubts: readonly string[]
  /** The reason why tokens are not billed, if the capacity is paid for in another way. */
  readonly prepaid: string | undefined
}

/**
 * Returns the multipliers of a request at a provider of the catalog, for a model of the catalog.
 *
 * Worked example: at `openai`, the tier `flex` gives the factor `{ name: "tier flex", value: "0.5" }`.
 */
export function multipliersOf(provider: string, model: string, served: Served): Multipliers {
  const factors: { name: string; value: string }[] = []
  const doubts: string[] = []
  const apply = (name: string, value: string | undefined) => {
    if (value === undefined) doubts.push(`no price known for ${name} of ${model}: list price taken`)
    else if (value !== "1") factors.push({ name, value })
  }
  const tier = TIER_ALIASES[served.tier ?? "default"] ?? served.tier ?? "default"
  if (tier === "prepaid") return { factors, doubts, prepaid: "provisioned throughput is paid for by the hour" }
  if (tier !== "default") apply(`tier ${tier}`, tierFactor(provider, model, tier))
  if (served.speed !== undefined && served.speed !== "standard") {
    apply(`speed ${served.speed}`, served.speed === "fast" ? FAST[model] : undefined)
  }
  if (served.geo !== undefined && !ANYWHERE.has(served.geo)) {
    apply(`region ${served.geo}`, regionFactor(provider, model, served.geo))
  }
  return { factors, doubts, prepaid: undefined }
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

function tierFactor(provider: string, model: string, tier: string): string | undefined {
  if (HALF[tier]?.includes(provider)) return "0.5"
  if (provider === "groq" && tier === "flex") return "1"
  if (tier !== "priority") return undefined
  if (provider === "google") return /^gemini-[3-9]/.test(model) ? "1.8" : undefined
  return provider === "openai" ? PRIORITY[model] : undefined
}

/** The multipliers of Anthropic's fast mode. */
const FAST: Readonly<Record<string, string>> = {
  "claude-opus-4-6": "6",
  "claude-opus-4-7": "6",
  "claude-opus-4-8": "2",
  "claude-opus-5": "2",
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
