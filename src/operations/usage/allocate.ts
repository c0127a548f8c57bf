import { type Decimal, formatDecimal, parseDecimal } from "../../core/decimal.ts"

/** Money has 12 digits after the point, and a decimal has 18. */
const STEP = 10n ** 6n

/**
 * Divides an amount in proportion to weights. The shares have at most 12 digits after the point, and their sum is the
 * amount to the last digit: each boundary between two shares is rounded, and not each share.
 *
 * Worked example: 1 divided by the weights 1, 1 and 1 is 0.333333333333, 0.333333333333 and 0.333333333334.
 *
 * @returns undefined if all weights are 0, because then nothing says who pays
 */
export function allocate(amount: string, weights: readonly Decimal[]): readonly string[] | undefined {
  const whole = weights.reduce((sum, weight) => sum + weight, 0n)
  if (whole === 0n) return undefined
  const total = parseDecimal(amount)
  let weight = 0n
  let given = 0n
  return weights.map((own) => {
    weight += own
    const until = weight === whole ? total : ((total * weight) / whole / STEP) * STEP
    const share = until - given
    given = until
    return formatDecimal(share)
  })
}

/** Returns the sum of amounts. An amount that is not known adds nothing. */
export function addAmounts(amounts: readonly (string | null)[]): string {
  return formatDecimal(amounts.reduce((sum, amount) => sum + parseDecimal(amount ?? "0"), 0n))
}
