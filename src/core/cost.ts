import { type Sum, sumOf } from "./cost-sum.ts"
import { type Decimal, divide, formatDecimal, multiply, parseDecimal, toMoney } from "./decimal.ts"
import type { Bucket, Reading, Units } from "./usage.ts"

/** USD per million tokens (token buckets) or per piece (units), as plain decimal text: `"0.15"`. */
export type Rates = { readonly [K in Bucket | keyof Units]?: string }

export type RateName = keyof Rates

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
  /** What the token lines were multiplied with, and why; their product is each line's `factor`. */
  readonly factors?: readonly CostFactor[]
  /** Why there is no price, or why it is not exact. */
  readonly reason?: string
  /** The provider's own figure where it was preferred, and ours beside it. */
  readonly reported?: string
  readonly computed?: string
}

/** A multiplier of all token amounts: `{ name: "tier flex", value: "0.5" }`. */
export interface CostFactor {
  readonly name: string
  readonly value: string
}

/** One line of the sum: `quantity × rate × factor`. Amounts have at most 12 digits after the point; they add up to the total. */
export interface CostLine {
  readonly side: "input" | "output"
  readonly bucket: RateName
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
export interface PriceQuery {
  readonly provider: string
  readonly requestedModel: string | undefined
  readonly reading: Reading
  /** Milliseconds since the epoch: the price of that moment. */
  readonly at: number
  /** The provider answered with an error (status 400 or more): what it does not report, it does not bill. */
  readonly failed?: boolean
}

/** What the price book knows of one model, at the moment and in the tier of the question. */
export type Resolution =
  | {
      readonly kind: "priced"
      readonly entry: PriceEntry
      /** What the provider multiplies every token amount with (never the fees), each with its name. */
      readonly factors: readonly CostFactor[]
      /** Why the price may be wrong whatever was used: an unknown tier, a model matched without its date, … */
      readonly doubts: readonly string[]
      /** Rates of `entry` that may be wrong, with the reason; said only when they are used. */
      readonly unsure: { readonly [K in RateName]?: string }
    }
  | { readonly kind: "free"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string }

/** Finds the rates for a model that the answer named (undefined: it named none). */
export type Resolve = (model: string | undefined) => Resolution

/**
 * What an answer cost: each bucket of each part at the rates of the part's own model, then the fees, one line each.
 * The amounts of the lines add up to `inputCost`, `outputCost` and `totalCost` to the last digit; only where the
 * provider's own figure was preferred (`price.reported`) they add up to `price.computed` instead.
 *
 * Worked example: `{ input: 600, cacheRead: 400, output: 500 }` at 2.5, 1.25 and 10 USD per million is
 * 0.0015 + 0.0005 + 0.005 = 0.007.
 */
export function computeCost(
  question: PriceQuery,
  resolve: Resolve,
  options: { /** The provider's figure is what it charges: it is the cost. */ readonly trustReported: boolean },
): Cost {
  const { reading } = question
  if (reading.free) return freeOf(FREE_BY_RULE)
  const sum = sumOf(reading, resolve)
  const reported = options.trustReported ? positiveMoney(reading.reportedCostUsd) : undefined
  if (reported !== undefined && sum.kind !== "free") return reportedOf(reading, reported, sum)
  if (sum.kind === "free") return freeOf(sum.reason)
  if (question.failed && reading.source === "none") return freeOf("provider error: not billed")
  if (sum.kind === "unknown") return unpricedOf(sum.reason)
  return {
    status: statusOf(reading, sum.doubts),
    inputCost: formatDecimal(sum.input),
    outputCost: formatDecimal(sum.output),
    totalCost: formatDecimal(sum.input + sum.output),
    price: certificateOf(reading, sum),
  }
}

/** The reason of answers that are free whatever prices say: a row that has it stays free when it is priced again. */
export const FREE_BY_RULE = "free by the provider's own rule"
const ZERO = "0"

function freeOf(reason: string): Cost {
  return { status: "free", inputCost: ZERO, outputCost: ZERO, totalCost: ZERO, price: { lines: [], reason } }
}

function unpricedOf(reason: string): Cost {
  return {
    status: "unpriced",
    inputCost: undefined,
    outputCost: undefined,
    totalCost: undefined,
    price: { lines: [], reason },
  }
}

/** The provider's total, split between input and output as our own sum is; without one the split is not known. */
function reportedOf(reading: Reading, total: Decimal, sum: Exclude<Sum, { kind: "free" }>): Cost {
  const reported = formatDecimal(total)
  if (sum.kind === "unknown") {
    const price = { ...certificateOf(reading, NO_SUM), reported, reason: joined([sum.reason, reading.inconsistent]) }
    return {
      status: statusOf(reading, []),
      inputCost: undefined,
      outputCost: undefined,
      totalCost: reported,
      price,
    }
  }
  const computed = sum.input + sum.output
  const input = computed === 0n ? total : toMoney(multiply(total, divide(sum.input, computed)))
  return {
    status: statusOf(reading, []),
    inputCost: formatDecimal(input),
    outputCost: formatDecimal(total - input),
    totalCost: reported,
    price: { ...certificateOf(reading, sum), reported, computed: formatDecimal(computed) },
  }
}

function statusOf(reading: Reading, doubts: readonly string[]): Cost["status"] {
  if (reading.inconsistent !== undefined) return "inconsistent"
  return reading.source === "reported" && doubts.length === 0 ? "exact" : "estimated"
}

type Summed = Pick<Extract<Sum, { kind: "sum" }>, "lines" | "doubts" | "factors">

const NO_SUM: Summed = { lines: [], doubts: [], factors: [] }

function certificateOf(reading: Reading, { lines, doubts, factors }: Summed): PriceCertificate {
  const counted = reading.source === "estimated" ? "usage counted from the text" : undefined
  const reason = joined([reading.inconsistent, counted, ...doubts])
  const price: { -readonly [K in keyof PriceCertificate]: PriceCertificate[K] } = { lines }
  if (reading.tier !== undefined) price.tier = reading.tier
  if (factors.length > 0) price.factors = factors
  if (reason !== undefined) price.reason = reason
  return price
}

function joined(reasons: readonly (string | undefined)[]): string | undefined {
  const said = reasons.filter((reason) => reason !== undefined)
  return said.length > 0 ? said.join("; ") : undefined
}

function positiveMoney(text: string | undefined): Decimal | undefined {
  if (text === undefined) return undefined
  try {
    const value = toMoney(parseDecimal(text))
    return value > 0n ? value : undefined
  } catch {
    // What a provider calls its cost is not ours to trust: a text that is no decimal is no cost.
    return undefined
  }
}
