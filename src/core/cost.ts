import type { Bucket, Reading, Units } from "./usage.ts"

/** Rates in USD: per million tokens for token buckets, per piece for units. Plain decimal text, such as `"0.15"`. */
export type Rates = { readonly [K in Bucket | keyof Units]?: string }

export type RateName = keyof Rates

/** Rates in USD per piece that depend on the kind of the piece, by `unit/kind`, such as `images/1024x1024 hd`. */
export type KindRates = Readonly<Record<string, string>>

/** The rates of one model at one time, with its long-context tiers. */
export interface PriceEntry {
  /** The id of the model that matched, as the catalog spells it. */
  readonly model: string
  readonly base: Rates
  /** The rates of pieces by their kind. A kind that is not listed costs what `base` says. */
  readonly kinds?: KindRates
  /** The rates of a whole request whose `contextTokens` exceed `above`, in ascending order of `above`. */
  readonly tiers: readonly { readonly above: number; readonly rates: Rates }[]
  /**
   * The source of each rate and its date, `YYYY-MM-DD`. Sources: `overrides`, `stored_overrides`, `fallback_file`,
   * `llm-prices.com`, `genai-prices`, `majordomo`, and `derived` for a rate that a rule gives.
   */
  readonly sources: { readonly [K in keyof Rates]?: { readonly source: string; readonly date: string | undefined } }
}

/**
 * The certificate in a row's `price` column. With it and the token columns, anyone can do the calculation again.
 */
export interface PriceCertificate {
  readonly lines: readonly CostLine[]
  readonly tier?: string
  /** The multipliers of the lines. The `factor` of a line is the product of those that apply to it. */
  readonly factors?: readonly CostFactor[]
  /** The reason why there is no price, or why it is not exact. */
  readonly reason?: string
  /** The provider's own figure, where it is the cost. `computed` is then the total of the lines. */
  readonly reported?: string
  readonly computed?: string
}

/** A multiplier of the token lines, such as `{ name: "tier flex", value: "0.5" }`. */
export interface CostFactor {
  readonly name: string
  readonly value: string
  /** The buckets that it does not multiply. */
  readonly except?: readonly RateName[]
  /** It multiplies fees as well, as a discount does. */
  readonly fees?: true
}

/**
 * One line of a cost. Its amount is `quantity × rate × factor`, with at most 12 digits after the point. The amounts of
 * all lines add up to the total.
 *
 * Worked example: 600 tokens at 2.5 USD per million, with factor 0.5, are 0.00075 USD.
 */
export interface CostLine {
  readonly side: "input" | "output"
  readonly bucket: RateName
  /** The kind of the pieces, where it decides the rate. */
  readonly kind?: string
  readonly model: string
  readonly quantity: number
  /** USD per million tokens, or per piece. */
  readonly rate: string
  readonly per: "million" | "one"
  /** The product of all multipliers (service tier, batch, speed, region); `"1"` if there are none. */
  readonly factor: string
  readonly amount: string
  readonly source: string
  readonly date?: string
}

/** The cost of one answer, in USD as plain decimal text. A cost that is not known is undefined, never `"0"`. */
export interface Cost {
  readonly status: "exact" | "estimated" | "unpriced" | "free" | "inconsistent"
  readonly inputCost: string | undefined
  readonly outputCost: string | undefined
  readonly totalCost: string | undefined
  readonly price: PriceCertificate | undefined
}

/**
 * How a request is paid where its provider does not bill it by its tokens: a `subscription` costs the same however much it
 * is used. The cost of such a request is its API value: what the API would have charged. It is in no total of the bill.
 */
export type Billing = "subscription"

/** A question to the price book: what did this answer cost? */
export interface PriceQuery {
  readonly provider: string
  readonly requestedModel: string | undefined
  readonly reading: Reading
  /** The time whose prices apply, in milliseconds since the epoch. */
  readonly at: number
  /** The part of the list prices that remains for the key of the request, such as `"0.875"`; undefined: all of it. */
  readonly keyDiscountFactor?: string | undefined
  /** The provider answered with an error (status 400 or more). Usage that it then does not report is not billed. */
  readonly failed?: boolean
  /** The request was sent, and no answer was seen. The provider may bill it. */
  readonly isUnanswered?: boolean
}

/** The name of the factor of a key's discount. Stored rows are read by it, so the text must not change. */
export const KEY_DISCOUNT = "key discount"

/** The price of one model at the time and in the service tier of the question, or why there is none. */
export type Resolution =
  | {
      readonly kind: "priced"
      readonly entry: PriceEntry
      /** The multipliers of the amounts. Unless a factor says otherwise, it applies to all tokens and to no fee. */
      readonly factors: readonly CostFactor[]
      /** Reasons why the price may be wrong, whatever was used: an unknown tier, a model matched without its date, … */
      readonly doubts: readonly string[]
      /** Rates of `entry` that may be wrong, with the reason. It is reported only if the rate is used. */
      readonly unsure: { readonly [K in RateName]?: string }
    }
  | { readonly kind: "free"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string }

/** Finds the rates of the model that the answer named; undefined if it named none. */
export type Resolve = (model: string | undefined) => Resolution

/**
 * The reason of an answer that is free whatever the prices are. A stored row with this reason stays free when it is priced
 * again, unless its operation is billed by the rules of today. So the text must not change.
 */
export const FREE_BY_RULE = "free by the provider's own rule"

/**
 * The doubt about a price whose sources disagree, and of which none says whether it applied at the time of the request.
 * An exact cost is not replaced by such a price, so the text must not change.
 */
export const PRICE_THEN_UNKNOWN = "the sources disagree about the price at the time of the request"

/**
 * The reason of a request that was sent and has no answer. A stored row with this reason stays without a cost when it is
 * priced again, so the text must not change.
 */
export const UNANSWERED = "sent, but no answer was seen"
