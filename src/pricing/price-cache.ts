import type { RateName, Resolution } from "../core/cost.ts"
import type { Served } from "./multipliers.ts"

/** The price that the price book found for a question. */
export interface CachedPrice {
  readonly resolution: Resolution
  /** The rates that the user set, to which no discount applies. */
  readonly usersRates: readonly RateName[]
  /** The cost that the provider itself reports is what it charges. */
  readonly trustReported: boolean
}

/** Everything that the rates depend on, as long as the sources stay the same. */
interface PriceCacheKey extends Served {
  /** The number of the half hour since the epoch and of the changes of prices until then. */
  readonly window: number
  readonly provider: string
  readonly requestedModel: string | undefined
  readonly model: string | undefined
}

/** Clients choose the names of models, so their number and their length are limited. */
const MAX_MODELS = 1024
const MAX_PER_MODEL = 16
const MAX_NAME_LENGTH = 256

/** Caches prices. They are found by model, and then by comparing the rest, which costs less than building one key. */
export function createPriceCache() {
  const models = new Map<string | undefined, { readonly asked: PriceCacheKey; readonly resolved: CachedPrice }[]>()
  return {
    find(asked: PriceCacheKey): CachedPrice | undefined {
      const cached = models.get(asked.model)
      if (cached) for (const each of cached) if (isSame(each.asked, asked)) return each.resolved
      return undefined
    },
    /** Stores a price and returns it. */
    keep(asked: PriceCacheKey, resolved: CachedPrice): CachedPrice {
      const { tier, speed, geo, provider, requestedModel, model } = asked
      for (const text of [tier, speed, geo, provider, requestedModel, model]) {
        if (text !== undefined && text.length > MAX_NAME_LENGTH) return resolved
      }
      const cached = models.get(model)
      if (!cached) {
        if (models.size >= MAX_MODELS) models.clear()
        models.set(model, [{ asked, resolved }])
        return resolved
      }
      if (cached.length >= MAX_PER_MODEL) cached.shift()
      cached.push({ asked, resolved })
      return resolved
    },
    clear: () => models.clear(),
  }
}

function isSame(a: PriceCacheKey, b: PriceCacheKey): boolean {
  return (
    a.window === b.window &&
    a.provider === b.provider &&
    a.requestedModel === b.requestedModel &&
    a.tier === b.tier &&
    a.speed === b.speed &&
    a.geo === b.geo
  )
}
