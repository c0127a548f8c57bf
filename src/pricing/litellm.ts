import type { ModelBounds } from "../core/model-bounds.ts"
import { createTable } from "../core/table.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { bundledRow, PER_MILLION } from "./bundled.ts"
import { parsePrices } from "./catalog-data.ts"
import type { CatalogPrices } from "./catalog-model.ts"
import { type LitellmModel, parseLitellmMap } from "./litellm-map.ts"
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
  /** Returns the most tokens of a model, found as by `find`; undefined: the map does not have the model. */
  boundsOf(provider: string, names: readonly string[]): ModelBounds | undefined
  /** Returns the prices of all models. */
  seen(): readonly SeenPrice[]
}

/** A map with fewer usable models than this is an error page or broken. */
const MIN_MODELS = 20

/** LiteLLM's names of providers, and their id in the catalog. If a model is listed by several, the first one counts. */
const PROVIDERS: Readonly<Record<string, string>> = createTable({
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
})
const RANKS = Object.keys(PROVIDERS)

/** The price of a model, and the place of LiteLLM's name of its provider in `PROVIDERS`. */
type RankedPrice = SeenPrice & { readonly rank: number; readonly bounds: ModelBounds }

/**
 * Prepares LiteLLM's map, as it was fetched, for lookups.
 * @throws Error that says what is wrong with the map
 */
export function parseLitellm(
  body: unknown,
  history: Pick<PriceHistory, "versionsOf">,
  fetchedAt: number,
): LitellmPrices {
  if (!isRecord(body)) throw new Error("expected an object of models")
  const models = new Map<string, RankedPrice>()
  for (const listed of parseLitellmMap(body)) {
    const model = toSeenPrice(listed)
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
      const then = findVersion(versions, at)
      const version = then ?? versions[0]
      const prices = parsePrices(version ? version.prices : models.get(`${provider}/${name}`)?.prices)
      const isLater = then !== version || undefined
      return prices && { ...bundledRow({ id: name, prices, day }, at).row, source: "litellm", isLater }
    },
    changesOf: (provider, name) => history.versionsOf("litellm", provider, name).map(({ from }) => from),
    boundsOf(provider, names) {
      const name = names.find((each) => models.has(`${provider}/${each}`))
      return name === undefined ? undefined : models.get(`${provider}/${name}`)?.bounds
    },
    seen: () => [...models.values()].map(({ provider, model, prices }) => ({ provider, model, prices })),
  }
}

function toSeenPrice({ name, provider: given = "", base, tiers, bounds }: LitellmModel): RankedPrice | undefined {
  const provider = Object.hasOwn(PROVIDERS, given) ? PROVIDERS[given] : undefined
  const prices = toCatalogPrices({ base, tiers })
  if (provider === undefined || prices === undefined) return undefined
  const prefix = `${given.replace(/-.*/, "")}/`
  const model = (name.startsWith(prefix) ? name.slice(prefix.length) : name).toLowerCase()
  return { provider, model, prices, rank: RANKS.indexOf(given), bounds }
}

/** USD per million tokens. A higher rate is a mistake. */
const MAX_RATE = 1_000_000

/**
 * Returns the rates of tokens in the form of the catalog, in which the history keeps them; undefined if there are none. A
 * model whose rates are all 0 has no known price.
 */
function toCatalogPrices({ base, tiers }: Pick<LitellmModel, "base" | "tiers">): CatalogPrices | undefined {
  const prices: Record<string, CatalogPrices[string]> = {}
  for (const [key, name] of Object.entries(PER_MILLION)) {
    const rate = toRate(base[name])
    if (rate === undefined) continue
    const long = tiers.flatMap(({ above, rates }) => {
      const price = toRate(rates[name])
      return price === undefined ? [] : [{ start: above, price }]
    })
    prices[key] = long.length === 0 ? rate : { base: rate, tiers: long }
  }
  return Object.values(prices).some((price) => price !== 0) ? prices : undefined
}

function toRate(usdPerMillion: string | undefined): number | undefined {
  const rate = Number(usdPerMillion ?? Number.NaN)
  return rate <= MAX_RATE ? rate : undefined
}
