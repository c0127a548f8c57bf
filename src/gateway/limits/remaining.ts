import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import type { LimitError } from "../../core/limit-error.ts"

/** The header that states what the tightest limit of a request has left. */
export const LIMIT_REMAINING = "X-Majordomo-Limit-Remaining"

/** Characters that a header value cannot have, and the one that encodes them. */
const ENCODED = /[^\x20-\x24\x26-\x7e]+/g

/** Returns what the limit that rejected a request has left, such as `team=0.02`; undefined: it is not known. */
export function toRemaining({ limit, amount, used, reserved }: LimitError): string | undefined {
  if (amount === undefined) return undefined
  const left = parseDecimal(amount) - parseDecimal(used ?? "0") - parseDecimal(reserved ?? "0")
  const name = limit.replace(ENCODED, (text) => encodeURIComponent(Buffer.from(text).toString()))
  return `${name}=${formatDecimal(left > 0n ? left : 0n)}`
}
