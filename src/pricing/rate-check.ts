import type { RateName } from "../core/cost.ts"
import { isInPeriod } from "../core/own-prices.ts"
import { bundledRow } from "./bundled.ts"
import type { Catalog, CatalogModel } from "./catalog-model.ts"
import type { UserPrices } from "./user-prices.ts"

const CHECKED: readonly RateName[] = ["input", "output"]
const MAX_LINES = 5

/**
 * Returns a line for each of the user's prices, or for those of one name, that is at least ten times above or below the known price of its model. Such
 * a price is usually per token, or per thousand tokens. A price of 0 is accepted, because a model can be free.
 */
export function farPrices(
  { catalog, user }: { readonly catalog: Catalog; readonly user: UserPrices },
  at: number,
  onlyName?: string,
): readonly string[] {
  const entries = user.entries().filter(({ name }) => onlyName === undefined || name === onlyName)
  if (entries.length === 0) return []
  const known = indexModels(catalog)
  const lines = entries.flatMap(({ setting, name, prices }) => {
    const model = known.get(name)
    const price = prices.find((each) => isInPeriod(each, at))
    if (!model || !price) return []
    const { base } = bundledRow(model, at).row
    const far = CHECKED.find((rate) => isFar(price.base[rate], base[rate]))
    return far === undefined
      ? []
      : [
          `${setting}: ${name}: ${far} is ${price.base[far]} USD per million tokens, but the known price is ${base[far]}; check that the price is per million tokens`,
        ]
  })
  const more = lines.length - MAX_LINES
  return more <= 0 ? lines : [...lines.slice(0, MAX_LINES), `${more} more of your prices are far from the known ones`]
}

/** Returns the models of the catalog by `provider/id`, and those of their makers by id alone. */
function indexModels(catalog: Catalog): ReadonlyMap<string, CatalogModel> {
  const models = new Map<string, CatalogModel>()
  for (const provider of catalog.values()) {
    for (const model of provider.models) {
      const id = model.id.toLowerCase()
      models.set(`${provider.id}/${id}`, model)
      if (MAKERS.has(provider.id) && !models.has(id)) models.set(id, model)
    }
  }
  return models
}

/** The providers that make the models they list. A name without a provider means theirs. */
const MAKERS: ReadonlySet<string> = new Set(["openai", "anthropic", "google", "mistral", "x-ai", "deepseek", "cohere"])

function isFar(given: string | undefined, known: string | undefined): boolean {
  const ratio = Number(given) / Number(known)
  return Number.isFinite(ratio) && ratio > 0 && (ratio >= 10 || ratio <= 0.1)
}
