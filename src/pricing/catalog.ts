import { computeCost } from "../core/compute-cost.ts"
import type { Cost, PriceQuery, Rates } from "../core/cost.ts"
import { loadBundled } from "./bundled.ts"
import { createLookup, type Lookup } from "./lookup.ts"
import type { Served } from "./multipliers.ts"
import { multipliersOf } from "./multipliers.ts"
import { type CachedPrice, createPriceCache } from "./price-cache.ts"
import { readAliasesFile, readPriceFile } from "./price-file.ts"
import { createPriceList, type PricedModel, type PriceExplanation } from "./price-list.ts"
import { createRemote, type Refreshed } from "./remote.ts"

export interface PriceBookOptions {
  /** Address of the llm-prices.com list; empty: never fetched. */
  readonly remoteUrl: string
  readonly refreshIntervalMs: number
  readonly fallbackFile?: string | undefined
  readonly aliasesFile?: string | undefined
  /** By model, or by `provider/model`: what wins over all other sources. */
  readonly overrides?: Readonly<Record<string, Rates>> | undefined
  /** By configured provider: all its calls are free, or its own table by model. */
  readonly providerPrices?: Readonly<Record<string, "free" | Readonly<Record<string, Rates>>>> | undefined
  /** By configured provider: its address, so that a known host is priced whatever it is called here. */
  readonly baseUrls?: Readonly<Record<string, string>> | undefined
  /** Where the last good copy of the list is kept. */
  readonly cacheFile?: string | undefined
  now(): number
  /** Takes one line of talk; never holds a secret. */
  log(line: string): void
}

export interface PriceBook {
  price(question: PriceQuery): Cost
  modelCount(): number
  /** Every model that has a price now, of one provider or of all. */
  models(provider?: string): readonly PricedModel[]
  /** What each source says of a model and what was made of it; undefined: no source knows it. */
  explain(provider: string | undefined, model: string, at?: number): readonly PriceExplanation[]
  /** Fetches the list now. Never throws: a failure is a result, and leaves the prices as they are. */
  refresh(): Promise<Refreshed>
  /** Begins to fetch in the background: at once, then each interval. */
  start(): void
  close(): void
}

/** Providers whose own figure is what they charge. */
const TRUSTED: ReadonlySet<string> = new Set(["openrouter", "x-ai", "perplexity"])
/** Daily price windows begin and end on the half hour. */
const WINDOW_MS = 1_800_000

/** Opens the book: bundled data, the user's files and the last good list. Throws CommandError for an unreadable user file. */
export async function createPriceBook(options: PriceBookOptions): Promise<PriceBook> {
  const memory = createPriceCache()
  const remote = createRemote(options, () => memory.clear())
  const [catalogue, file, aliases] = await Promise.all([
    loadBundled(),
    readPriceFile(options.fallbackFile),
    readAliasesFile(options.aliasesFile),
    remote.load(),
  ])
  const sources = { catalogue, file, aliases, options, remote: remote.current }
  const lookup = createLookup(sources)
  const listing = createPriceList(lookup, sources)

  return {
    price(question) {
      const { provider, requestedModel, reading, at } = question
      const { tier, speed, geo } = reading
      const window = Math.floor(at / WINDOW_MS)
      const resolve = (model: string | undefined): CachedPrice => {
        const asked = { tier, speed, geo, window, provider, requestedModel, model }
        return memory.find(asked) ?? memory.keep(asked, resolveModel(lookup, { ...asked, at }, reading))
      }
      const main = resolve(reading.model)
      return computeCost(question, (model) => (model === reading.model ? main : resolve(model)).resolution, {
        trustReported: main.trustReported,
      })
    },
    modelCount: () => listing.count(),
    models: (provider) => listing.list(provider, options.now()),
    explain: (provider, model, at = options.now()) => listing.explain(provider, model, at),
    refresh: () => remote.refresh(),
    start: () => remote.start(),
    close: () => remote.close(),
  }
}

function resolveModel(
  lookup: Lookup,
  of: {
    readonly provider: string
    readonly requestedModel: string | undefined
    readonly model: string | undefined
    readonly at: number
  },
  served: Served,
): CachedPrice {
  if (lookup.isFree(of.provider)) {
    return { resolution: { kind: "free", reason: `${of.provider} is configured as free` }, trustReported: false }
  }
  const found = lookup.find(of)
  const trustReported = TRUSTED.has(found.billedBy ?? "") && !found.isUsers
  if (found.kind === "unknown") return { resolution: { kind: "unknown", reason: found.reason }, trustReported }
  const { factors, doubts, prepaid } = multipliersOf(found.billedBy ?? "", found.merged.entry.model, served)
  if (prepaid !== undefined) return { resolution: { kind: "free", reason: prepaid }, trustReported }
  const { entry, unsure } = found.merged
  return {
    resolution: { kind: "priced", entry, factors, unsure, doubts: [...found.doubts, ...doubts] },
    trustReported,
  }
}
