import { type Cost, FREE_BY_RULE, type PriceCertificate, type PriceQuery, type Resolve, UNANSWERED } from "./cost.ts"
import { type Sum, sumOf } from "./cost-sum.ts"
import { type Decimal, divide, formatDecimal, multiply, parseDecimal, parseLongDecimal, toMoney } from "./decimal.ts"
import { BUCKETS, MAX_COUNT, type Reading } from "./usage.ts"

/**
 * Computes the cost of an answer. Each bucket of each part is one line, at the rates of the part's own model; the fees
 * follow, one line each. The lines add up to `inputCost`, `outputCost` and `totalCost` to the last digit. Where the
 * provider's own figure is the cost (`price.reported`), they add up to `price.computed` instead.
 *
 * Worked example: `{ input: 600, cacheRead: 400, output: 500 }` at 2.5, 1.25 and 10 USD per million tokens costs
 * 0.0015 + 0.0005 + 0.005 = 0.007 USD.
 */
export function computeCost(
  question: PriceQuery,
  resolve: Resolve,
  options: { /** The provider's own figure is what it charges, so it is the cost. */ readonly trustReported: boolean },
): Cost {
  const { reading } = question
  if (reading.free) return freeOf(FREE_BY_RULE)
  const sum = sumOf(reading, resolve)
  const reported = options.trustReported ? moneyOf(reading.reportedCostUsd) : undefined
  if (reported !== undefined && sum.kind !== "free") return reportedOf(reading, reported, sum)
  if (sum.kind === "free") return freeOf(sum.reason)
  if (question.isUnanswered && reading.source === "none") return unpricedOf(UNANSWERED)
  if (question.failed && reading.source === "none") return freeOf("provider error: not billed")
  if (isImplausible(reading))
    return { ...unpricedOf(joined([IMPLAUSIBLE, reading.inconsistent])!), status: "inconsistent" }
  if (sum.kind === "unknown") return unpricedOf(sum.reason)
  return {
    status: statusOf(reading, sum.doubts),
    inputCost: formatDecimal(sum.input),
    outputCost: formatDecimal(sum.output),
    totalCost: formatDecimal(sum.input + sum.output),
    price: certificateOf(reading, sum),
  }
}

const IMPLAUSIBLE = "a reported count is too large to be true"

/** Returns true for an answer with a count that was clamped because no answer can have it. It has no usable cost. */
function isImplausible({ parts, units }: Reading): boolean {
  for (const name in units) if (units[name as keyof typeof units]! >= MAX_COUNT) return true
  for (const { usage } of parts) {
    let tokens = 0
    for (const bucket of BUCKETS) tokens += usage[bucket]
    if (tokens >= MAX_COUNT) return true
  }
  return false
}

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

/**
 * Returns the provider's total as the cost. It is split between input and output in the proportion of our own sum;
 * without such a sum, the split is not known.
 *
 * Worked example: a reported 0.09 with a sum of 0.02 for input and 0.08 for output is split into 0.018 and 0.072.
 */
function reportedOf(reading: Reading, total: Decimal, sum: Exclude<Sum, { kind: "free" }>): Cost {
  const reported = formatDecimal(total)
  if (sum.kind === "unknown") {
    const reason = joined([sum.reason, reading.inconsistent, ...doubtsOf(reading)])
    const price = { ...certificateOf(reading, NO_SUM), reported, reason }
    return {
      status: statusOf(reading, doubtsOf(reading)),
      inputCost: undefined,
      outputCost: undefined,
      totalCost: reported,
      price,
    }
  }
  const computed = sum.input + sum.output
  const input = computed === 0n ? total : toMoney(multiply(total, divide(sum.input, computed)))
  const doubts = doubtsOf(reading)
  return {
    status: statusOf(reading, doubts),
    inputCost: formatDecimal(input),
    outputCost: formatDecimal(total - input),
    totalCost: reported,
    price: {
      ...certificateOf(reading, { ...sum, doubts: [...doubts, ...sum.doubts] }),
      reported,
      computed: formatDecimal(computed),
    },
  }
}

const NO_DOUBTS: readonly string[] = []
const REPORTED_ESTIMATE: readonly string[] = ["the provider calls its own figure an estimate"]

/** Returns why the provider's own figure may be wrong. */
function doubtsOf(reading: Reading): readonly string[] {
  return reading.isReportedCostEstimated ? REPORTED_ESTIMATE : NO_DOUBTS
}

/** An answer without usage that is billed by the piece alone has nothing to estimate. */
function statusOf(reading: Reading, doubts: readonly string[]): Cost["status"] {
  if (reading.inconsistent !== undefined) return "inconsistent"
  return reading.source !== "estimated" && doubts.length === 0 ? "exact" : "estimated"
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

/** No single answer costs more, in USD. A larger figure of a provider is a mistake, and no column holds it. */
const MAX_REPORTED = parseDecimal("1000000")

/** Returns the provider's figure as money; undefined if it is not a decimal, or cannot be a cost. */
function moneyOf(text: string | undefined): Decimal | undefined {
  if (text === undefined) return undefined
  try {
    const value = toMoney(parseLongDecimal(text))
    return value >= 0n && value <= MAX_REPORTED ? value : undefined
  } catch {
    // The text comes from the provider. If it is not a decimal, there is no reported cost.
    return undefined
  }
}
