import type { Resolution } from "../core/cost.ts"
import type { Served } from "./multipliers.ts"

/** What the book found for a question. */
export interface CachedPrice {
  readonly resolution: Resolution
  readonly trustReported: boolean
}

/** All that an answer to "which rates?" depends on while the prices stay the same. */
export interface PriceCacheKey extends Served {
  /** Number of the half hour. */
  readonly window: number
  readonly provider: string
  readonly requestedModel: string | undefined
  readonly model: string | undefined
}

/** Clients choose model names, so neither their number nor their length may fill the memory. */
const MAX_MODELS = 1024
const MAX_PER_MODEL = 16
const MAX_NAME_LENGTH = 256

/** Remembers what was found: by the model, then by comparing the rest, which costs less than making a key of it all. */
export function createPriceCache() {
  const models = new Map<string | undefined, { readonly asked: PriceCacheKey; readonly resolved: CachedPrice }[]>()
  return {
    find(asked: PriceCacheKey): CachedPrice | undefined {
      const known = models.get(asked.model)
      if (known) for (const each of known) if (isSame(each.asked, asked)) return each.resolved
      return undefined
    },
    /** Gives back what is kept. */
    keep(asked: PriceCacheKey, resolved: CachedPrice): CachedPrice {
      const { tier, speed, geo, provider, requestedModel, model } = asked
      for (const text of [tier, speed, geo, provider, requestedModel, model]) {
        if (text !== undefined && text.length > MAX_NAME_LENGTH) return resolved
      }
      const known = models.get(model)
      if (!known) {
        if (models.size >= MAX_MODELS) models.clear()
        models.set(model, [{ asked, resolved }])
        return resolved
      }
      if (known.length >= MAX_PER_MODEL) known.shift()
      known.push({ asked, resolved })
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
