import { type BundledRow, toRates } from "./bundled.ts"
import type { CatalogPrices } from "./catalog-model.ts"
import type { Match } from "./match.ts"
import { doubtOfOrigin, type OriginName } from "./origins.ts"

/** The price of a model until a price cut that the catalog has forgotten. */
interface PastPrice {
  /** The provider and the id of the model in the catalog. */
  readonly model: string
  /** Only this name of the model had the price; its dated snapshots kept theirs. */
  readonly name?: string
  /** The day of the cut, `YYYY-MM-DD`: the first day of the price that the catalog has. */
  readonly until: string
  readonly prices: CatalogPrices
  readonly origin: OriginName
}

/** In USD per million tokens. */
export const PAST_PRICES: readonly PastPrice[] = [
  {
    // The name moved from the snapshot of May to the cheaper one of August.
    model: "openai/gpt-4o",
    name: "gpt-4o",
    until: "2024-10-02",
    prices: { input_mtok: 5, output_mtok: 15 },
    origin: "remembered",
  },
  {
    model: "openai/o1-mini",
    until: "2025-01-31",
    prices: { input_mtok: 3, cache_read_mtok: 1.5, output_mtok: 12 },
    origin: "remembered",
  },
  {
    // The catalog has the price, but not that of cached input.
    model: "openai/o3",
    until: "2025-06-10",
    prices: { input_mtok: 10, cache_read_mtok: 2.5, output_mtok: 40 },
    origin: "o3Price",
  },
  {
    model: "anthropic/claude-3-5-haiku-latest",
    until: "2024-12-03",
    prices: { input_mtok: 1, cache_write_mtok: 1.25, cache_read_mtok: 0.1, output_mtok: 5 },
    origin: "haikuCut",
  },
  {
    model: "google/gemini-1.5-pro",
    until: "2024-10-01",
    prices: {
      input_mtok: { base: 3.5, tiers: [{ start: 128_000, price: 7 }] },
      output_mtok: { base: 10.5, tiers: [{ start: 128_000, price: 21 }] },
    },
    origin: "remembered",
  },
  {
    model: "google/gemini-1.5-flash",
    until: "2024-08-12",
    prices: {
      input_mtok: { base: 0.35, tiers: [{ start: 128_000, price: 0.7 }] },
      output_mtok: { base: 1.05, tiers: [{ start: 128_000, price: 2.1 }] },
    },
    origin: "remembered",
  },
]

/** Returns the price of a model before a cut that was not known to the catalog; undefined if there is none. */
export function pastRow({ owner, model, name }: Match, at: number): BundledRow | undefined {
  const id = `${owner}/${model.id}`
  const past = PAST_PRICES.find(
    (each) => each.model === id && (each.name ?? name) === name && at < Date.parse(each.until),
  )
  if (!past) return undefined
  const rates = toRates(past.prices)
  const doubt = doubtOfOrigin(`the price of ${model.id} before ${past.until}`, past.origin)
  const unsure = doubt && Object.fromEntries(Object.keys(rates.base).map((rate) => [rate, doubt]))
  return {
    row: { model: model.id, source: "majordomo", date: undefined, ...rates, ...(unsure ? { unsure } : {}) },
    varies: false,
    since: undefined,
    isDated: true,
    unmetered: [],
  }
}
