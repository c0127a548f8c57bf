import { type Decimal, formatDecimal, parseLongDecimal } from "./decimal.ts"
import type { LimitMeasure } from "./limit.ts"
import { toWholeUnits } from "./whole-units.ts"

/** How many steps of a `Decimal` (10^-18) one unit has: 10^-9 USD for a cost, 1 for everything else. */
const STEPS_PER_NANO: Decimal = 10n ** 9n
const STEPS_PER_ONE: Decimal = 10n ** 18n

/**
 * Converts an amount of a limit to the whole number with which the gateway counts it in memory: nano-USD (10^-9 USD) for
 * `cost`, requests or tokens otherwise. `0.0000000015` USD is 1 unit rounded down and 2 units rounded up. Amounts above
 * 2^53 units (9 million USD) are approximate.
 * @throws RangeError if `decimal` is not a plain decimal
 */
export function toUnits(decimal: string, measure: LimitMeasure, rounding: "up" | "down"): number {
  const usual = toWholeUnits(decimal, measure === "cost" ? NANO_DIGITS : 0, rounding)
  if (usual !== undefined) return usual
  const value = parseLongDecimal(decimal)
  const step = toStep(measure)
  const quotient = value / step
  const rest = value % step
  if (rest === 0n) return Number(quotient)
  if (rounding === "up") return Number(rest > 0n ? quotient + 1n : quotient)
  return Number(rest < 0n ? quotient - 1n : quotient)
}

/** Converts a number of units back to a plain decimal: 1,500,000,000 units of `cost` are `1.5` USD. */
export function fromUnits(units: number, measure: LimitMeasure): string {
  if (units >= 0 && Number.isSafeInteger(units)) return measure === "cost" ? fromNanos(units) : String(units)
  return formatDecimal(BigInt(Math.trunc(units)) * toStep(measure))
}

const NANO_DIGITS = 9
const NANOS = 10 ** NANO_DIGITS
const ZERO = 48

function fromNanos(nanos: number): string {
  const rest = nanos % NANOS
  const whole = (nanos - rest) / NANOS
  if (rest === 0) return String(whole)
  const digits = String(rest).padStart(NANO_DIGITS, "0")
  let end = NANO_DIGITS
  while (digits.charCodeAt(end - 1) === ZERO) end--
  return `${whole}.${digits.slice(0, end)}`
}

function toStep(measure: LimitMeasure): Decimal {
  return measure === "cost" ? STEPS_PER_NANO : STEPS_PER_ONE
}
