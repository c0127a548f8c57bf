import { computeCost } from "../core/compute-cost.ts"
import type { Cost, PriceQuery } from "../core/cost.ts"
import { createLookup, type Lookup, type LookupQuestion, type Sources } from "./lookup.ts"
import { multipliersOf, type Served } from "./multipliers.ts"
import type { PriceBookOptions } from "./options.ts"
import { type CachedPrice, createPriceCache } from "./price-cache.ts"
import { listChanges, type PriceChange } from "./price-changes.ts"
import { readAliasesFile, readPriceFile } from "./price-file.ts"
import { createPriceList, type PricedModel, type PriceExplanation } from "./price-list.ts"
import { openPriceSources, type SourceRefresh } from "./price-sources.ts"
import { farPrices } from "./rate-check.ts"
import { chargesWhatItReports } from "./reported.ts"
import { createUserPrices, type UserPrices } from "./user-prices.ts"

/** All prices, at any time. */
export interface PriceBook {
  /** Computes the cost of one answer, with the prices of its time. */
  price(question: PriceQuery): Cost
  modelCount(): number
  /** When the list that was fetched the longest ago was fetched, in ms since the epoch; undefined if none is fetched. */
  checkedAt(): number | undefined
  /** Returns all models that have a price now, of one provider or of all. */
  models(provider?: string): readonly PricedModel[]
  /** Explains the price of a model, at one provider or at each that has it. The result is empty if no source has it. */
  explain(provider: string | undefined, model: string, at?: number): readonly PriceExplanation[]
  /** Returns how the prices of a model changed, at one provider or at each that has it. */
  changes(provider: string | undefined, model: string): readonly PriceChange[]
  /** Fetches all price lists now. Never rejects: the prices of a source that fails are as before. */
  refresh(): Promise<readonly SourceRefresh[]>
  /** Starts to fetch the lists in the background: now, and then at each interval. */
  start(): void
  close(): void
}

/** Hours with other prices begin and end on the half hour. */
const WINDOW_MS = 1_800_000
/** Distinguishes the changes of prices within a window. */
const MAX_CHANGES = 2 ** 20

/**
 * Opens the price book with the bundled data, the user's files and the last usable lists. Nothing is fetched.
 * @throws CommandError if a file of the user cannot be read or used
 */
export async function createPriceBook(options: PriceBookOptions): Promise<PriceBook> {
  const cache = createPriceCache()
  const [opened, file, aliases] = await Promise.all([
    openPriceSources(options, () => cache.clear()),
    readPriceFile(options),
    readAliasesFile(options),
  ])
  const { providerPrices, baseUrls } = options
  const user = createUserPrices(options, file)
  const { catalog, listed, litellm } = opened
  const sources: Sources = { catalog, user, aliases, baseUrls, listed, litellm }
  const lookup = createLookup(sources)
  const isConfigured = (name: string) => providerPrices?.[name] !== undefined || baseUrls?.[name] !== undefined
  const priceList = createPriceList(lookup, sources, isConfigured)
  for (const line of farPrices({ catalog: catalog(), user }, options.now())) options.log(line)

  return {
    price(question) {
      const { provider, requestedModel, reading, at } = question
      const { tier, speed, geo } = reading
      const window = Math.floor(at / WINDOW_MS) * MAX_CHANGES + opened.history.changesUntil(at)
      const resolve = (model: string | undefined): CachedPrice => {
        // The requested name belongs to the main model. Advisors and other parts have models of their own.
        const requested = model === reading.model ? requestedModel : undefined
        const asked = { tier, speed, geo, window, provider, requestedModel: requested, model }
        return cache.find(asked) ?? cache.keep(asked, resolveModel(lookup, user, { ...asked, at }))
      }
      const main = resolve(reading.model)
      return computeCost(question, (model) => (model === reading.model ? main : resolve(model)).resolution, {
        trustReported: main.trustReported,
      })
    },
    modelCount: () => priceList.count(),
    models: (provider) => priceList.list(provider, options.now()),
    explain: (provider, model, at = options.now()) => priceList.explain(provider, model, at),
    changes: (provider, model) => listChanges(lookup, sources, { provider, model }),
    checkedAt: opened.checkedAt,
    refresh: opened.refresh,
    start: opened.start,
    close: opened.close,
  }
}

/** Finds the rates of a model, with the multipliers of how the request was served. */
function resolveModel(lookup: Lookup, user: UserPrices, asked: LookupQuestion & Served): CachedPrice {
  if (user.isFree(asked.provider)) {
    return { resolution: { kind: "free", reason: `${asked.provider} is configured as free` }, trustReported: false }
  }
  const found = lookup.find(asked)
  const trustReported = !found.isOverridden && chargesWhatItReports(found.billedBy ?? asked.provider)
  if (found.kind === "unknown") return { resolution: { kind: "unknown", reason: found.reason }, trustReported }
  const {
    factors,
    doubts,
    unsure: unsureTier,
    prepaid,
  } = multipliersOf(found.billedBy ?? "", found.merged.entry.model, asked)
  if (prepaid !== undefined) return { resolution: { kind: "free", reason: prepaid }, trustReported }
  const { entry, unsure, usersRates } = found.merged
  const discount = user.discountFactor(asked.provider, asked.at)
  const reduced =
    discount === undefined ? [] : [{ name: "discount", value: discount, except: usersRates, fees: true as const }]
  return {
    resolution: {
      kind: "priced",
      entry,
      factors: [...factors, ...reduced],
      unsure: { ...unsureTier, ...unsure },
      doubts: [...found.doubts, ...doubts],
    },
    trustReported,
  }
}
