import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import { toRemainingText } from "../../core/limit.ts"
import type { LimitError } from "../../core/limit-error.ts"

/** The header that states what the tightest limit of a request has left. */
export const LIMIT_REMAINING = "X-Majordomo-Limit-Remaining"

/** Returns what the limit that rejected a request has left, such as `team=0.02`; undefined: it is not known. */
export function toRemaining({ limit, amount, used, reserved }: LimitError): string | undefined {
  if (amount === undefined) return undefined
  const left = parseDecimal(amount) - parseDecimal(used ?? "0") - parseDecimal(reserved ?? "0")
  return toRemainingText(limit, formatDecimal(left > 0n ? left : 0n))
}
