import type { RateName } from "../core/cost.ts"
import { formatDecimal, fromNumber } from "../core/decimal.ts"
import type { OwnPrice } from "../core/own-prices.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { toProviderId } from "./identify.ts"

/** Returns whether a file is LiteLLM's price map: some model in it has a price per token. */
export function isLitellmMap(content: Record<string, unknown>): boolean {
  return Object.values(content).some((row) => isRecord(row) && typeof row["input_cost_per_token"] === "number")
}

/**
 * Reads LiteLLM's price map, which has USD per token, by the names of its models. A name with LiteLLM's name of a provider,
 * such as `xai/grok-4`, is listed with ours as well. Rows that have no rate of ours are left out.
 */
export function readLitellmMap(content: Record<string, unknown>): ReadonlyMap<string, readonly OwnPrice[]> {
  const prices = new Map<string, readonly OwnPrice[]>()
  for (const [key, row] of Object.entries(content)) {
    const price = key === "sample_spec" || !isRecord(row) ? undefined : toPrice(row)
    if (price === undefined) continue
    const name = key.toLowerCase()
    prices.set(name, [price])
    const slash = name.indexOf("/")
    const ours = slash < 0 ? name : `${toProviderId(name.slice(0, slash).replaceAll("_", "-"))}${name.slice(slash)}`
    if (!prices.has(ours)) prices.set(ours, [price])
  }
  return prices
}

/** The fields in USD per token. The names of long-context fields continue with `_above_200k_tokens`. */
const PER_TOKEN: Readonly<Record<string, RateName>> = {
  input_cost_per_token: "input",
  output_cost_per_token: "output",
  cache_read_input_token_cost: "cacheRead",
  cache_creation_input_token_cost: "cacheWrite",
  cache_creation_input_token_cost_above_1hr: "cacheWrite1h",
  output_cost_per_reasoning_token: "reasoning",
  input_cost_per_audio_token: "inputAudio",
  output_cost_per_audio_token: "outputAudio",
  input_cost_per_image_token: "inputImage",
  output_cost_per_image_token: "outputImage",
  cache_read_input_audio_token_cost: "cacheReadAudio",
  cache_read_input_image_token_cost: "cacheReadImage",
}
const PER_PIECE: Readonly<Record<string, RateName>> = { input_cost_per_second: "audioSeconds" }
const MILLION = 1_000_000n

function toPrice(row: Record<string, unknown>): OwnPrice | undefined {
  const base: { [K in RateName]?: string } = {}
  const tiers = new Map<number, { [K in RateName]?: string }>()
  for (const [field, value] of Object.entries(row)) {
    if (typeof value !== "number" || !(value >= 0 && value < 1000)) continue
    const piece = PER_PIECE[field]
    if (piece !== undefined) base[piece] = formatDecimal(fromNumber(value))
    const [, stem = field, thousands] = /^(.+)_above_(\d+)k_tokens$/.exec(field) ?? []
    const name = PER_TOKEN[stem]
    if (name === undefined) continue
    const rate = formatDecimal(fromNumber(value) * MILLION)
    const above = Number(thousands) * 1000
    if (thousands === undefined) base[name] = rate
    else tiers.set(above, { ...tiers.get(above), [name]: rate })
  }
  if (Object.keys(base).length === 0) return undefined
  const ascending = [...tiers].sort(([a], [b]) => a - b)
  return { base, tiers: ascending.map(([above, rates]) => ({ above, rates })) }
}
