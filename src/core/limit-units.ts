import { type Decimal, formatDecimal, parseLongDecimal } from "./decimal.ts"
import type { LimitMeasure } from "./limit.ts"

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
  const usual = toUsualUnits(decimal, measure === "cost" ? NANO_DIGITS : 0, rounding)
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
/** A whole number with so many digits is exact as a float. */
const MAX_EXACT_DIGITS = 15
/** Digits after these are rounded first. */
const MAX_FRACTION_DIGITS = 18
const ZERO = 48
const NINE = 57
const POINT = 46

/**
 * Converts a decimal digit by digit, which costs a fifth of bigints and is as exact. Returns undefined for one that is
 * negative, has many digits, or is no plain decimal.
 * @param digits the digits after the point that units have
 */
function toUsualUnits(decimal: string, digits: number, rounding: "up" | "down"): number | undefined {
  const { length } = decimal
  const point = decimal.indexOf(".")
  const wholeDigits = point < 0 ? length : point
  const fractionDigits = point < 0 ? 0 : length - point - 1
  if (wholeDigits === 0 || wholeDigits + digits > MAX_EXACT_DIGITS) return undefined
  if ((point >= 0 && fractionDigits === 0) || fractionDigits > MAX_FRACTION_DIGITS) return undefined
  let units = 0
  let hasRest = false
  for (let i = 0; i < length; i++) {
    const code = decimal.charCodeAt(i)
    if (code < ZERO || code > NINE) {
      if (code !== POINT || i !== point) return undefined
    } else if (point < 0 || i <= point + digits) units = units * 10 + code - ZERO
    else if (code !== ZERO) hasRest = true
  }
  for (let i = fractionDigits; i < digits; i++) units *= 10
  return hasRest && rounding === "up" ? units + 1 : units
}

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
