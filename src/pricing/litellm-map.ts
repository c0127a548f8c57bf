import type { RateName, Rates } from "../core/cost.ts"
import { formatDecimal, fromNumber } from "../core/decimal.ts"
import type { ModelBounds } from "../core/model-bounds.ts"
import { createTable } from "../core/table.ts"
import { isRecord } from "../kit/json/is-record.ts"

/** One model of LiteLLM's map, with its rates in USD per million tokens, or per piece. */
export interface LitellmModel {
  /** LiteLLM's own name of the model, which can begin with its provider: `xai/grok-4`. */
  readonly name: string
  /** LiteLLM's name of the provider, if the model has one. */
  readonly provider: string | undefined
  readonly base: Rates
  /** The rates of a whole request with more than `above` tokens, in ascending order. */
  readonly tiers: readonly { readonly above: number; readonly rates: Rates }[]
  readonly bounds: ModelBounds
}

/**
 * Parses LiteLLM's map: `{ "gpt-4o": { "litellm_provider", "input_cost_per_token", … } }`, in USD per token. Models that
 * have no rate of ours are left out.
 */
export function parseLitellmMap(content: Readonly<Record<string, unknown>>): readonly LitellmModel[] {
  return Object.entries(content).flatMap(([name, row]) => {
    if (name === "sample_spec" || !isRecord(row)) return []
    const { litellm_provider: provider } = row
    const { base, tiers } = parseRates(row)
    if (Object.keys(base).length === 0) return []
    const bounds = { context: toCount(row["max_input_tokens"]), output: toCount(row["max_output_tokens"]) }
    return [{ name, provider: typeof provider === "string" ? provider : undefined, base, tiers, bounds }]
  })
}

function toCount(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : undefined
}

/** Returns whether a file is LiteLLM's map: some model in it has a price per token. */
export function isLitellmMap(content: Readonly<Record<string, unknown>>): boolean {
  return Object.values(content).some((row) => isRecord(row) && typeof row["input_cost_per_token"] === "number")
}

/** The fields in USD per token. The names of long-context fields continue with `_above_200k_tokens`. */
const PER_TOKEN: Readonly<Record<string, RateName>> = createTable({
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
})
const PER_PIECE: Readonly<Record<string, RateName>> = createTable({ input_cost_per_second: "audioSeconds" })
const MILLION = 1_000_000n

function parseRates(row: Readonly<Record<string, unknown>>): Pick<LitellmModel, "base" | "tiers"> {
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
  const ascending = [...tiers].sort(([a], [b]) => a - b)
  return { base, tiers: ascending.map(([above, rates]) => ({ above, rates })) }
}
