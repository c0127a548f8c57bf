import { BUNDLED_DATE, withOwnModels } from "./bundled.ts"
import { type CatalogData, parsePrices } from "./catalog-data.ts"
import type { Catalog, CatalogModel, CatalogProvider } from "./catalog-model.ts"
import type { PriceHistory, SeenPrice } from "./price-history.ts"

/**
 * Merges the bundled data with the data that was fetched. A fetched model replaces the bundled one with the same id. A
 * model that was known before stays, so that its past requests keep their price.
 */
export function mergeCatalog(
  bundled: readonly CatalogProvider[],
  fetched: CatalogData | undefined,
  history: PriceHistory,
): Catalog {
  const providers = new Map(bundled.map((provider) => [provider.id, provider]))
  for (const provider of fetched?.providers ?? []) {
    providers.set(provider.id, mergeProviders(providers.get(provider.id), provider))
  }
  if (fetched) for (const provider of withFormerModels(providers, history)) providers.set(provider.id, provider)
  return new Map([...providers].map(([id, provider]) => [id, withOwnModels(withVersions(provider, history))]))
}

function mergeProviders(bundled: CatalogProvider | undefined, fetched: CatalogProvider): CatalogProvider {
  const ids = new Set(fetched.models.map(({ id }) => id))
  const others = bundled?.models.filter(({ id }) => !ids.has(id)) ?? []
  // The address decides who sends the bill, so that of the package is not replaced.
  const pattern = bundled?.api_pattern ?? fetched.api_pattern
  return { ...bundled, ...fetched, api_pattern: pattern, models: [...fetched.models, ...others] }
}

/** Returns the providers whose fetched models are no longer in the data, with these models. */
function withFormerModels(
  providers: ReadonlyMap<string, CatalogProvider>,
  history: PriceHistory,
): readonly CatalogProvider[] {
  const former = new Map<string, CatalogModel[]>()
  const known = new Set([...providers.values()].flatMap(({ id, models }) => models.map((model) => `${id}/${model.id}`)))
  for (const { provider, model } of history.modelsOf("genai-prices")) {
    const prices = parsePrices(history.versionsOf("genai-prices", provider, model).at(-1)?.prices)
    if (prices === undefined || known.has(`${provider}/${model}`)) continue
    former.set(provider, [...(former.get(provider) ?? []), { id: model, prices }])
  }
  return [...former].flatMap(([id, models]) => {
    const provider = providers.get(id)
    return provider ? [{ ...provider, models: [...provider.models, ...models] }] : []
  })
}

function withVersions(provider: CatalogProvider, history: PriceHistory): CatalogProvider {
  const models = provider.models.map((model) => {
    const seen = history.versionsOf("genai-prices", provider.id, model.id)
    if (seen.length < 2) return model
    const versions = seen.flatMap(({ from, prices: given }) => {
      const prices = parsePrices(given)
      return prices ? [{ from, prices }] : []
    })
    return { ...model, versions }
  })
  return { ...provider, models }
}

/** Returns the prices of the fetched models, each with the bundled price that applied before. */
export function seenPrices(bundled: readonly CatalogProvider[], fetched: CatalogData): readonly SeenPrice[] {
  const before = new Map(
    bundled.flatMap(({ id, models }) => models.map((model) => [`${id}/${model.id}`, model.prices] as const)),
  )
  const from = Date.parse(BUNDLED_DATE)
  return fetched.providers.flatMap(({ id, models }) =>
    models.map(({ id: model, prices }) => {
      const bundledPrices = before.get(`${id}/${model}`)
      return { provider: id, model, prices, ...(bundledPrices && { before: { from, prices: bundledPrices } }) }
    }),
  )
}
