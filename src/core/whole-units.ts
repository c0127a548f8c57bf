/** A whole number with so many digits is exact as a float. */
const MAX_EXACT_DIGITS = 15
/** Digits after these are rounded first. */
const MAX_FRACTION_DIGITS = 18
const ZERO = 48
const NINE = 57
const POINT = 46

/**
 * Converts a plain decimal to a whole number of units: `1.5` with 2 digits is 150. It reads digit by digit, which costs a
 * fifth of bigints and is as exact. Returns undefined for a decimal that is negative, has many digits, or is no plain one.
 * @param digits the digits after the point that units have
 * @param rounding what becomes of further digits; `none`: a decimal with further digits is undefined
 */
export function toWholeUnits(decimal: string, digits: number, rounding: "up" | "down" | "none"): number | undefined {
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
  if (!hasRest || rounding === "down") return units
  return rounding === "up" ? units + 1 : undefined
}
