import type { RateName } from "../core/cost.ts"
import type { OriginName } from "./origins.ts"

/** The catalog of models: the data of genai-prices with our own models in it, by the id of the provider. */
export type Catalog = ReadonlyMap<string, CatalogProvider>

/** A provider as genai-prices writes it. Only the members that we read are declared, here and below. */
export interface CatalogProvider {
  readonly id: string
  /** A regular expression for the provider's addresses. */
  readonly api_pattern: string
  /** The ids of the providers whose models this provider resells. */
  readonly fallback_model_providers?: readonly string[]
  readonly models: readonly CatalogModel[]
}

export interface CatalogModel {
  readonly id: string
  readonly match?: MatchRule
  /** The most tokens of a prompt and its answer together. */
  readonly context_window?: number | undefined
  readonly prices: CatalogPrices | readonly DatedPrices[]
  /** The model comes from `own-models.ts`. */
  readonly own?: true
  /** The origin of the prices of a model of ours. */
  readonly origin?: OriginName
  /** The day of the data that has these prices, `YYYY-MM-DD`; undefined for the bundled data. */
  readonly day?: string
  /** The prices that the gateway has seen since a time, in ascending order, if they changed. */
  readonly versions?: readonly ModelVersion[]
}

/** A model of our own, which always names the origin of its prices. */
export type OwnModel = CatalogModel & { readonly origin: OriginName }

/** The prices of a model from a time on, in milliseconds since the epoch. */
export interface ModelVersion {
  readonly from: number
  readonly prices: CatalogModel["prices"]
}

/** Which names belong to a model. */
export type MatchRule =
  | { readonly equals: string }
  | { readonly starts_with: string }
  | { readonly ends_with: string }
  | { readonly contains: string }
  | { readonly regex: string }
  | { readonly or: readonly MatchRule[] }
  | { readonly and: readonly MatchRule[] }

/**
 * Prices in USD by the name of their unit, such as `input_mtok`: per million tokens, per 1,000 pieces or per hour. Our own
 * models also have prices per piece by its kind, such as `images/1024x1024 hd`.
 */
export type CatalogPrices = Readonly<Record<string, CatalogPrice | undefined>>

type CatalogPrice =
  | number
  | { readonly base: number; readonly tiers: readonly { readonly start: number; readonly price: number }[] }

/** Prices that apply from a day on, or during hours of each day (UTC). Without a constraint they always apply. */
export interface DatedPrices {
  readonly constraint?:
    | { readonly type: "start_date"; readonly start_date: string }
    | { readonly type: "time_of_date"; readonly start_time: string; readonly end_time: string }
  readonly prices: CatalogPrices
  /** Rates of these prices that may be wrong, with the reason. The published data has none. */
  readonly unsure?: { readonly [K in RateName]?: string }
}
