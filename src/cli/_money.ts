import { withThousands } from "./_text.ts"

/**
 * Returns an amount of USD for people. It is exact if that takes at most six digits after the point, else it is rounded
 * to seven significant digits (four for the smallest), but never to zero: `0.00108` -> `$0.00108`,
 * `1234.5678912` -> `$1,234.568`, `0` -> `$0.00`. The sign is in front: `-1.5` -> `-$1.50`.
 */
export function toDollars(decimal: string): string {
  if (decimal.startsWith("-")) return `-${toDollars(decimal.slice(1))}`
  const [whole = "0", fraction = ""] = decimal.split(".")
  const exact = fraction.replace(/0+$/, "")
  const [shownWhole, shownFraction] = exact.length <= digitsFor(whole, exact) ? [whole, exact] : round(whole, exact)
  return `$${withThousands(shownWhole)}.${shownFraction.padEnd(2, "0")}`
}

function digitsFor(whole: string, fraction: string): number {
  if (whole !== "0") return Math.max(2, Math.min(6, 7 - whole.length))
  const leadingZeros = /^0*/.exec(fraction)![0].length
  return Math.max(6, leadingZeros + 4)
}

/** Rounds half up, in units of the last digit. */
function round(whole: string, fraction: string): [whole: string, fraction: string] {
  const digits = digitsFor(whole, fraction)
  const kept = BigInt(whole + fraction.slice(0, digits)) + (fraction[digits]! >= "5" ? 1n : 0n)
  const text = kept.toString().padStart(digits + 1, "0")
  return [text.slice(0, -digits), text.slice(-digits).replace(/0+$/, "")]
}

/** Pads a column of amounts on the right so that their decimal points are aligned. */
export function alignPoints(amounts: readonly string[]): string[] {
  const after = (amount: string) => (amount.includes(".") ? amount.length - amount.lastIndexOf(".") : 0)
  const longest = Math.max(0, ...amounts.map(after))
  return amounts.map((amount) => (after(amount) === 0 ? amount : amount + " ".repeat(longest - after(amount))))
}
