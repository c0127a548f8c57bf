import type { Bucket, Reading, Units } from "./usage.ts"

/** USD per million tokens (token buckets) or per piece (units), as plain decimal text: `"0.15"`. */
export type Rates = { readonly [K in Bucket | keyof Units]?: string }

/** Rates of one model, with the tier of prompt size from which other rates hold for the whole request. */
export interface PriceEntry {
  /** The id that matched, in the catalogue's own spelling. */
  readonly model: string
  readonly base: Rates
  /** For a whole request whose `contextTokens` exceed `above`; sorted ascending. */
  readonly tiers: readonly { readonly above: number; readonly rates: Rates }[]
  /** Where each rate came from (`overrides`, `fallback_file`, `llm-prices.com`, `genai-prices`, `derived`) and its date. */
  readonly sources: { readonly [K in keyof Rates]?: { readonly source: string; readonly date: string | undefined } }
}

/** The certificate in the row's `price` column: with it and the token columns anyone can do the sum again. */
export interface PriceCertificate {
  readonly lines: readonly CostLine[]
  readonly tier?: string
  /** Why there is no price, or why it is not exact. */
  readonly reason?: string
  /** The provider's own figure where it was preferred, and ours beside it. */
  readonly reported?: string
  readonly computed?: string
}

/** One line of the sum: `quantity × rate × factor`. Amounts have at most 12 digits after the point; they add up to the total. */
export interface CostLine {
  readonly side: "input" | "output"
  readonly bucket: Bucket | keyof Units
  readonly model: string
  readonly quantity: number
  /** USD per million tokens, or per piece. */
  readonly rate: string
  readonly per: "million" | "one"
  /** Product of all multipliers (served tier, batch, speed, region); `"1"` when none. */
  readonly factor: string
  readonly amount: string
  readonly source: string
  readonly date?: string
}

/** What an answer cost. USD as plain decimals; `undefined` costs with `unpriced`, never 0. */
export interface Cost {
  readonly status: "exact" | "estimated" | "unpriced" | "free" | "inconsistent"
  readonly inputCost: string | undefined
  readonly outputCost: string | undefined
  readonly totalCost: string | undefined
  readonly price: PriceCertificate | undefined
}

/** What the gateway asks of the price book. */
export interface PriceQuestion {
  readonly provider: string
  readonly requestedModel: string | undefined
  readonly reading: Reading
  /** Milliseconds since the epoch: the price of that moment. */
  readonly at: number
}
