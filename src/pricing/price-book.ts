import { computeCost } from "../core/compute-cost.ts"
import {
  type Cost,
  type CostFactor,
  KEY_DISCOUNT,
  type PriceQuery,
  type RateName,
  type Resolution,
} from "../core/cost.ts"
import { CommandError } from "../core/errors.ts"
import type { ModelBounds } from "../core/model-bounds.ts"
import type { Catalog } from "./catalog-model.ts"
import { toProviderId } from "./identify.ts"
import { createLookup, type Lookup, type LookupQuestion, type Sources } from "./lookup.ts"
import { createModelBounds } from "./model-bounds.ts"
import { multipliersOf, type Served } from "./multipliers.ts"
import type { PriceBookOptions } from "./options.ts"
import { type CachedPrice, createPriceCache } from "./price-cache.ts"
import { listChanges, type PriceChange } from "./price-changes.ts"
import { readAliasesFile, readPriceFile } from "./price-file.ts"
import { createPriceList, type PricedModel, type PriceExplanation } from "./price-list.ts"
import { type NamedCheck, openPriceSources, type SourceRefresh } from "./price-sources.ts"
import { farPrices } from "./rate-check.ts"
import { chargesWhatItReports } from "./reported.ts"
import { createStoredOverrides } from "./stored-overrides.ts"
import { createUserPrices, type UserPrices } from "./user-prices.ts"

/** All prices, at any time. */
export interface PriceBook {
  /** Computes the cost of one answer, with the prices of its time. */
  price(question: PriceQuery): Cost
  /**
   * Returns the sources of lines of a cost that may be wrong for its time: they know the model's prices only from after it,
   * and have no earlier ones.
   */
  sourcesOfLater(question: PriceQuery): readonly string[]
  /** Returns the most tokens that a model reads and writes. */
  boundsOf(provider: string, model: string): ModelBounds
  /** Returns a number that differs whenever prices may have changed. Rates that were derived from prices last as long as it. */
  version(at: number): number
  modelCount(): number
  /** When each list that is fetched was last fetched. */
  checks(): readonly NamedCheck[]
  /** Returns all models that have a price now, of one provider or of all. */
  models(provider?: string): readonly PricedModel[]
  /** Explains the price of a model, at one provider or at each that has it. The result is empty if no source has it. */
  explain(provider: string | undefined, model: string, at?: number): readonly PriceExplanation[]
  /** Returns how the prices of a model changed, at one provider or at each that has it. */
  changes(provider: string | undefined, model: string): readonly PriceChange[]
  /** Fetches all price lists now. Never rejects: the prices of a source that fails are as before. */
  refresh(): Promise<readonly SourceRefresh[]>
  /** Reads the prices that were set in the database again. Never rejects: without an answer, they stay as they are. */
  reloadOverrides(): Promise<void>
  /** Returns a line for each of the user's prices of a model, or `provider/model`, that is far from the known price. */
  farPrices(name: string): readonly string[]
  /** Starts to fetch the lists in the background, now and then at each interval, and to follow the prices that are set. */
  start(): void
  close(): Promise<void>
}

/** Hours with other prices begin and end on the half hour. */
const WINDOW_MS = 1_800_000
/** Distinguishes the changes of prices within a window. */
const MAX_CHANGES = 2 ** 20
/** More windows than there will be until the year 100,000. */
const MAX_WINDOWS = 2 ** 31

/**
 * Opens the price book with the bundled data, the user's files and the last usable lists. Nothing is fetched.
 * @throws CommandError if a file of the user cannot be read or used
 */
export async function createPriceBook(options: PriceBookOptions): Promise<PriceBook> {
  const cache = createPriceCache()
  let changes = 0
  const onChange = () => {
    changes++
    cache.clear()
  }
  const [opened, file, aliases] = await Promise.all([
    openPriceSources(options, onChange),
    readPriceFile(options),
    readAliases(options),
  ])
  const { providerPrices, baseUrls } = options
  const stored = createStoredOverrides({ store: options.storedOverrides, log: options.log, onChange })
  await stored.reload()
  const user = createUserPrices(options, file, stored.table)
  const sources: Sources = { ...opened, user, aliases, identities: options }
  checkLikes(options, sources.catalog())
  const lookup = createLookup(sources)
  const isConfigured = (name: string) => providerPrices?.[name] !== undefined || baseUrls?.[name] !== undefined
  const windowOf = (at: number) => Math.floor(at / WINDOW_MS) * MAX_CHANGES + opened.history.changesUntil(at)
  const priceList = createPriceList(lookup, sources, { isConfigured, versionOf: (at) => `${changes}/${windowOf(at)}` })
  const findFarPrices = (name?: string) => farPrices({ catalog: sources.catalog(), user }, options.now(), name)
  for (const line of findFarPrices()) options.log(line)

  return {
    price(question) {
      const { provider, requestedModel, reading, at, keyDiscountFactor } = question
      const { tier, speed, geo } = reading
      const window = windowOf(at)
      const resolve = (model: string | undefined): CachedPrice => {
        // The requested name belongs to the main model. Advisors and other parts have models of their own.
        const requested = model === reading.model ? requestedModel : undefined
        const asked = { tier, speed, geo, window, provider, requestedModel: requested, model }
        return cache.find(asked) ?? cache.keep(asked, resolveModel(lookup, user, { ...asked, at }))
      }
      const main = resolve(reading.model)
      const resolveForKey = (model: string | undefined): Resolution => {
        const found = model === reading.model ? main : resolve(model)
        return keyDiscountFactor === undefined ? found.resolution : withKeyDiscount(found, keyDiscountFactor)
      }
      return computeCost(question, resolveForKey, { trustReported: main.trustReported })
    },
    sourcesOfLater({ provider, requestedModel, reading, at }) {
      const models = new Set([reading.model, ...reading.parts.map(({ model }) => model)])
      return [...models].flatMap((model) => {
        const requested = model === reading.model ? requestedModel : undefined
        return lookup.sourcesOfLater({ provider, model, requestedModel: requested, at })
      })
    },
    boundsOf: createModelBounds(lookup, sources),
    version: (at) => changes * MAX_WINDOWS + Math.floor(at / WINDOW_MS),
    modelCount: () => priceList.count(),
    models: (provider) => priceList.list(provider, options.now()),
    explain: (provider, model, at = options.now()) => priceList.explain(provider, model, at),
    changes: (provider, model) => listChanges(lookup, sources, { provider, model }),
    checks: opened.checks,
    refresh: opened.refresh,
    reloadOverrides: stored.reload,
    farPrices: findFarPrices,
    start: () => {
      opened.start()
      stored.start()
    },
    close: async () => {
      opened.close()
      await stored.close()
    },
  }
}

/** Reads the user's names of models. Those of a provider come before those of the file. */
async function readAliases(options: PriceBookOptions): Promise<ReadonlyMap<string, string>> {
  const ofProviders = Object.entries(options.models ?? {}).flatMap(([provider, models]) =>
    Object.entries(models).map(([name, model]) => [`${provider}/${name}`, model] as const),
  )
  return new Map([...(await readAliasesFile(options)), ...ofProviders])
}

function checkLikes({ likes }: PriceBookOptions, catalog: Catalog): void {
  for (const [name, like] of Object.entries(likes ?? {})) {
    if (catalog.has(toProviderId(like))) continue
    throw new CommandError(
      `providers.${name}.like: expected a provider whose prices are known, such as openai, anthropic, azure, bedrock or vertex, got "${like}"`,
    )
  }
}

/** Finds the rates of a model, with the multipliers of how the request was served. */
function resolveModel(lookup: Lookup, user: UserPrices, asked: LookupQuestion & Served): CachedPrice {
  if (user.isFree(asked.provider)) {
    return toUnpriced({ kind: "free", reason: `${asked.provider} is configured as free` }, false)
  }
  const found = lookup.find(asked)
  const trustReported = !found.isOverridden && chargesWhatItReports(found.billedBy ?? asked.provider)
  if (found.kind === "unknown") return toUnpriced({ kind: "unknown", reason: found.reason }, trustReported)
  const {
    factors,
    doubts,
    unsure: unsureTier,
    prepaid,
  } = multipliersOf(found.billedBy ?? "", found.merged.entry.model, asked)
  if (prepaid !== undefined) return toUnpriced({ kind: "free", reason: prepaid }, trustReported)
  const { entry, unsure, usersRates } = found.merged
  const discount = user.discountFactor(asked.provider, asked.at)
  const reduced = discount === undefined ? [] : [toDiscount("discount", discount, usersRates)]
  return {
    resolution: {
      kind: "priced",
      entry,
      factors: [...factors, ...reduced],
      unsure: { ...unsureTier, ...unsure },
      doubts: [...found.doubts, ...doubts],
    },
    usersRates,
    trustReported,
  }
}

function toUnpriced(resolution: Resolution, trustReported: boolean): CachedPrice {
  return { resolution, usersRates: [], trustReported }
}

/**
 * Adds the discount of a key. It is not part of the cached price, so that keys do not multiply the cached prices. It
 * multiplies with the discount of the provider, as discounts on a bill apply one after the other.
 */
function withKeyDiscount({ resolution, usersRates }: CachedPrice, factor: string): Resolution {
  if (resolution.kind !== "priced") return resolution
  return { ...resolution, factors: [...resolution.factors, toDiscount(KEY_DISCOUNT, factor, usersRates)] }
}

function toDiscount(name: string, value: string, except: readonly RateName[]): CostFactor {
  return { name, value, except, fees: true }
}

/**
 * Returns since when a list could not be fetched: when the list that was fetched the longest ago was fetched, but not before
 * this process began to try. In ms since the epoch; undefined if none is fetched.
 */
export function findStaleSince(checks: readonly NamedCheck[]): number | undefined {
  const times = checks.map(({ checkedAt = 0, openedAt }) => Math.max(checkedAt, openedAt))
  return times.length === 0 ? undefined : Math.min(...times)
}
