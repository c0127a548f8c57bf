import { PRIORITY } from "./priority.ts"

/** How a request was served, as the provider said it. */
export interface Served {
  readonly tier: string | undefined
  readonly speed: string | undefined
  readonly geo: string | undefined
}

export interface Multipliers {
  readonly factors: readonly { readonly name: string; readonly value: string }[]
  /** Words of the provider whose price we do not know: the list price was taken. */
  readonly doubts: readonly string[]
  /** Set when the traffic is paid for in another way than by the token. */
  readonly prepaid: string | undefined
}

/** The multipliers of a request at a catalogue's provider, for a model of the catalogue. */
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
  // OpenAI's SDK: a request for `fast` is answered with `priority`.
  fast: "priority",
}

/** Half price for work that may wait. Groq's flex costs what on-demand costs: it only fails sooner. */
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

/** Anthropic's fast mode. */
const FAST: Readonly<Record<string, string>> = {
  "claude-opus-4-6": "6",
  "claude-opus-4-7": "6",
  "claude-opus-4-8": "2",
  "claude-opus-5": "2",
}

const ANYWHERE: ReadonlySet<string> = new Set(["", "global", "not_available", "default"])

/** Claude models from before `inference_geo`: it costs them nothing. */
const BEFORE_GEO = /^claude-(?:[123v]|instant|(?:opus|sonnet|haiku)-4-[015]$)/
/** OpenAI adds 10 % in a region for models released since 2026-03-05: GPT-5.4 and newer. */
const OPENAI_REGIONAL = /^gpt-(?:5\.[4-9]|[6-9])/

function regionFactor(provider: string, model: string, geo: string): string | undefined {
  if (provider === "anthropic") return geo !== "us" ? undefined : BEFORE_GEO.test(model) ? "1" : "1.1"
  if (provider === "openai") return geo !== "us" && geo !== "eu" ? undefined : OPENAI_REGIONAL.test(model) ? "1.1" : "1"
  return undefined
}
