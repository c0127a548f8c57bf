import type { KindRates, RateName, Rates } from "../core/cost.ts"

/** The price of one model in one source. Rates are in USD, per million tokens or per piece, as in `Rates`. */
export interface Row {
  /** The id of the model, as the source spells it. */
  readonly model: string
  readonly source: SourceName
  /** The day of the source, or of this price in it, `YYYY-MM-DD`. */
  readonly date: string | undefined
  readonly base: Rates
  /** The prices are the first ones that are known of the model, and they were seen only after the time in question. */
  readonly isLater?: true | undefined
  /** The rates of pieces by their kind. */
  readonly kinds?: KindRates
  /** Rates of `base` that may be wrong, with the reason. */
  readonly unsure?: { readonly [K in RateName]?: string }
  /** The rates of a whole request with more than `above` tokens, in ascending order. */
  readonly tiers: readonly { readonly above: number; readonly rates: Rates }[]
}

export type SourceName =
  | "overrides"
  /** The prices that were set in the database. */
  | "stored_overrides"
  | "fallback_file"
  | "llm-prices.com"
  | "genai-prices"
  | "litellm"
  /** Our own models and fees, where the other sources have none or a wrong one: `own-models.ts`, `fees.ts`. */
  | "majordomo"

/** The sources that are fetched, and whose changes are remembered. */
export const FETCHED_SOURCES = ["llm-prices.com", "genai-prices", "litellm"] as const satisfies readonly SourceName[]

export type FetchedSource = (typeof FETCHED_SOURCES)[number]
