import { type Decimal, divide, formatDecimal, fromNumber, multiply, parseDecimal } from "../../core/decimal.ts"

const MILLION = fromNumber(1_000_000)

export type Per = "million" | "one"

/** Returns USD for a quantity at a rate, exactly as far as 18 digits go. */
export function costAt(quantity: Decimal, rate: Decimal, per: Per): Decimal {
  const cost = multiply(quantity, rate)
  return per === "million" ? divide(cost, MILLION) : cost
}

const MAX_DIGITS = 12

/**
 * Returns the shortest rate that gives a cost for a quantity, within the rounding of the cost.
 *
 * Worked example: 1,234 tokens for 0.000309 USD, rounded to 6 digits, cost between 0.25000 and 0.25081 per million: 0.25.
 */
export function impliedRate(cost: Decimal, quantity: Decimal, per: Per, rounding: Decimal): string {
  const scale = per === "million" ? MILLION : fromNumber(1)
  const of = (amount: Decimal) => divide(multiply(amount, scale), quantity)
  const [low, high] = [of(cost - rounding), of(cost + rounding)].sort((a, b) => (a < b ? -1 : 1)) as [Decimal, Decimal]
  const exact = of(cost)
  for (let digits = 0; digits <= MAX_DIGITS; digits++) {
    const step = 10n ** BigInt(18 - digits)
    const rounded = ((exact + (exact < 0n ? -step : step) / 2n) / step) * step
    if (rounded >= low && rounded <= high) return formatDecimal(rounded)
  }
  return formatDecimal(exact)
}

/** Returns the number of digits that distinguish a rate from others, such as 3 for 0.125. */
export function significantDigits(rate: string): number {
  return rate
    .replace(/^-?0*\.?0*/, "")
    .replace(".", "")
    .replace(/0+$/, "").length
}

/** Returns half of the last digit in which a bill says its amounts: how far an amount can be from what was computed. */
export function roundingOf(amounts: readonly string[], least: number): Decimal {
  let digits = least
  for (const text of amounts) {
    const point = text.indexOf(".")
    if (point >= 0) digits = Math.max(digits, text.length - point - 1)
  }
  return parseDecimal("1") / 2n / 10n ** BigInt(Math.min(digits, 17))
}
