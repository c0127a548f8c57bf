import { formatDecimal, fromNumber } from "../core/decimal.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { bundledRow } from "./bundled.ts"
import { parsePrices } from "./catalog-data.ts"
import type { CatalogPrices } from "./catalog-model.ts"
import { findVersion, type PriceHistory, type SeenPrice } from "./price-history.ts"
import type { Row } from "./row.ts"

/** LiteLLM's map of models, prepared for lookups. */
export interface LitellmPrices {
  /** The day on which it was fetched, because the map itself has none. */
  readonly day: string
  readonly size: number
  /** Finds the row of a model by the catalog's provider and one of the names, with the prices of the time `at`. */
  find(provider: string, names: readonly string[], at: number): Row | undefined
  /** Returns the times at which the prices of a model changed, in milliseconds since the epoch. */
  changesOf(provider: string, name: string): readonly number[]
  /** Returns the prices of all models. */
  seen(): readonly SeenPrice[]
}

/** A map with fewer usable models than this is an error page or broken. */
const MIN_MODELS = 20

/** LiteLLM's names of providers, and their id in the catalog. If a model is listed by several, the first one counts. */
const PROVIDERS: Readonly<Record<string, string>> = {
  openai: "openai",
  "text-completion-openai": "openai",
  anthropic: "anthropic",
  gemini: "google",
  "vertex_ai-language-models": "google",
  "vertex_ai-anthropic_models": "google",
  azure: "azure",
  bedrock: "aws",
  bedrock_converse: "aws",
  cerebras: "cerebras",
  cohere: "cohere",
  cohere_chat: "cohere",
  deepseek: "deepseek",
  fireworks_ai: "fireworks",
  groq: "groq",
  mistral: "mistral",
  moonshot: "moonshotai",
  openrouter: "openrouter",
  perplexity: "perplexity",
  together_ai: "together",
  xai: "x-ai",
  zai: "zai",
}
const RANKS = Object.keys(PROVIDERS)

/**
 * Parses LiteLLM's map: `{ "gpt-4o": { "litellm_provider", "input_cost_per_token", … } }`, in USD per token.
 * @throws Error that says what is wrong with the map
 */
export function parseLitellm(
  body: unknown,
  history: Pick<PriceHistory, "versionsOf">,
  fetchedAt: number,
): LitellmPrices {
  if (!isRecord(body)) throw new Error("expected an object of models")
  const models = new Map<string, SeenPrice & { readonly rank: number }>()
  for (const [name, entry] of Object.entries(body)) {
    const model = toModel(name, entry)
    if (model === undefined) continue
    const key = `${model.provider}/${model.model}`
    if (model.rank < (models.get(key)?.rank ?? Number.POSITIVE_INFINITY)) models.set(key, model)
  }
  if (models.size < MIN_MODELS) throw new Error(`expected at least ${MIN_MODELS} usable models, got ${models.size}`)
  const day = new Date(fetchedAt).toISOString().slice(0, 10)

  return {
    day,
    size: models.size,
    find(provider, names, at) {
      const name = names.find((each) => models.has(`${provider}/${each}`))
      if (name === undefined) return undefined
      const versions = history.versionsOf("litellm", provider, name)
      const version = findVersion(versions, at) ?? versions[0]
      const prices = parsePrices(version ? version.prices : models.get(`${provider}/${name}`)?.prices)
      return prices && { ...bundledRow({ id: name, prices, day }, at).row, source: "litellm" }
    },
    changesOf: (provider, name) => history.versionsOf("litellm", provider, name).map(({ from }) => from),
    seen: () => [...models.values()].map(({ provider, model, prices }) => ({ provider, model, prices })),
  }
}

function toModel(name: string, entry: unknown): (SeenPrice & { readonly rank: number }) | undefined {
  const given = isRecord(entry) ? entry["litellm_provider"] : undefined
  if (!isRecord(entry) || typeof given !== "string") return undefined
  const provider = Object.hasOwn(PROVIDERS, given) ? PROVIDERS[given] : undefined
  const prices = toPrices(entry)
  if (provider === undefined || prices === undefined) return undefined
  const prefix = `${given.replace(/-.*/, "")}/`
  const model = (name.startsWith(prefix) ? name.slice(prefix.length) : name).toLowerCase()
  return { provider, model, prices, rank: RANKS.indexOf(given) }
}

const NAMES: Readonly<Record<string, string>> = {
  input_cost_per_token: "input_mtok",
  output_cost_per_token: "output_mtok",
  cache_read_input_token_cost: "cache_read_mtok",
  cache_creation_input_token_cost: "cache_write_mtok",
  cache_creation_input_token_cost_above_1hr: "cache_write_1h_mtok",
  input_cost_per_audio_token: "input_audio_mtok",
  output_cost_per_audio_token: "output_audio_mtok",
  cache_read_input_audio_token_cost: "cache_audio_read_mtok",
  input_cost_per_image_token: "input_image_mtok",
  output_cost_per_image_token: "output_image_mtok",
  output_cost_per_reasoning_token: "output_reasoning_mtok",
}

/** Returns the prices per million tokens; undefined if there are none. A model whose rates are all 0 has no known price. */
function toPrices(entry: Record<string, unknown>): CatalogPrices | undefined {
  const prices: Record<string, CatalogPrices[string]> = {}
  for (const [key, name] of Object.entries(NAMES)) {
    const base = toPerMillion(entry[key])
    if (base === undefined) continue
    const tiers = Object.keys(entry).flatMap((each) => {
      const [, stem, thousands] = /^(.+)_above_(\d+)k_tokens$/.exec(each) ?? []
      const price = stem === key ? toPerMillion(entry[each]) : undefined
      return price === undefined ? [] : [{ start: Number(thousands) * 1000, price }]
    })
    prices[name] = tiers.length === 0 ? base : { base, tiers: tiers.sort((a, b) => a.start - b.start) }
  }
  return Object.values(prices).some((price) => price !== 0) ? prices : undefined
}

function toPerMillion(perToken: unknown): number | undefined {
  if (typeof perToken !== "number" || !(perToken >= 0 && perToken <= 1)) return undefined
  return Number(formatDecimal(fromNumber(perToken) * 1_000_000n))
}
