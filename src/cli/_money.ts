import { withThousands } from "./_text.ts"

/** The option of commands that show money. The program reads it, and not the command. */
export const EXACT_OPTION = {
  exact: { type: "boolean", description: "show money with all its digits, and not to cents" },
} as const

let isExact = false

/** Decides whether amounts are shown with all their digits from now on. */
export function showExactMoney(exact: boolean): void {
  isExact = exact
}

/**
 * Returns an amount of USD for people: to cents, or to two significant digits if it is below a cent, so that it is never
 * rounded to zero. `1234.5678912` -> `$1,234.57`, `0.00108` -> `$0.0011`, `0` -> `$0.00`. The sign is in front: `-1.5` ->
 * `-$1.50`. With `showExactMoney`, nothing is rounded.
 */
export function toDollars(decimal: string): string {
  if (decimal.startsWith("-")) return `-${toDollars(decimal.slice(1))}`
  const [whole = "0", fraction = ""] = decimal.split(".")
  const exact = fraction.replace(/0+$/, "")
  const digits = isExact ? exact.length : digitsFor(whole, exact)
  const [shownWhole, shownFraction] = exact.length <= digits ? [whole, exact] : round(whole, exact, digits)
  return `$${withThousands(shownWhole)}.${shownFraction.padEnd(2, "0")}`
}

/**
 * Returns an amount of USD with all its digits, where amounts must add up or are compared with those of others: `$1,234.5678912`.
 * It has two decimals or more.
 */
export function toExactDollars(decimal: string): string {
  if (decimal.startsWith("-")) return `-${toExactDollars(decimal.slice(1))}`
  const [whole = "0", fraction = ""] = decimal.split(".")
  return `$${withThousands(whole)}.${fraction.replace(/0+$/, "").padEnd(2, "0")}`
}

function digitsFor(whole: string, fraction: string): number {
  const leadingZeros = /^0*/.exec(fraction)![0].length
  return /^0*$/.test(whole) && leadingZeros >= 2 ? leadingZeros + 2 : 2
}

/** Rounds half up, in units of the last digit. */
function round(whole: string, fraction: string, digits: number): [whole: string, fraction: string] {
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
