import type { Tolerance } from "../../config/reconcile.ts"
import { type Decimal, formatDecimal, multiply, parseDecimal } from "../../core/decimal.ts"
import type { Cause, ReconciledDay } from "../../core/reconciliation.ts"

/** These causes mean that spending or prices are not what the gateway says. The others are known, and explain themselves. */
const ALARMING: ReadonlySet<Cause["cause"]> = new Set(["outside", "tokens", "price", "unexplained"])

/** How much of a difference needs attention, compared with what is tolerated. */
export interface Excess {
  /** USD that are outside of the gateway, in the price, in the token counts or unexplained, as an exact decimal. */
  readonly amount: string
  /** USD that are tolerated. */
  readonly tolerated: string
  readonly isBeyond: boolean
}

/**
 * Returns how much of the difference of settled days needs attention. An amount below zero counts like one above, so that two
 * causes do not hide each other; the same cause on several days is one amount.
 *
 * Worked example: of a bill of 1,204.33 USD, 5.10 outside and 1.21 in the price are 6.31 USD. `1% or $1` tolerates
 * 12.0433 USD.
 */
export function findExcess(days: readonly ReconciledDay[], { share, usd }: Tolerance): Excess {
  const settled = days.filter(({ settling }) => !settling)
  const billed = sum(settled.map(({ billed }) => billed))
  const amounts = new Map<string, Decimal>()
  for (const { cause, amount, model, tier, bucket, key, project } of settled.flatMap(({ causes }) => causes)) {
    if (!ALARMING.has(cause)) continue
    const identity = JSON.stringify([cause, model, tier, bucket, key, project])
    amounts.set(identity, (amounts.get(identity) ?? 0n) + parseDecimal(amount))
  }
  const excess = [...amounts.values()].reduce((total, amount) => total + magnitude(amount), 0n)
  const part = multiply(magnitude(billed), parseDecimal(share))
  const least = parseDecimal(usd)
  const tolerated = larger(part, least)
  return { amount: formatDecimal(excess), tolerated: formatDecimal(tolerated), isBeyond: excess > tolerated }
}

function sum(amounts: readonly string[]): Decimal {
  return amounts.reduce((total, amount) => total + parseDecimal(amount), 0n)
}

function larger(one: Decimal, other: Decimal): Decimal {
  if (one > other) return one
  return other
}

function magnitude(amount: Decimal): Decimal {
  return amount < 0n ? -amount : amount
}
