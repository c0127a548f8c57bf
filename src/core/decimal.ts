/** A decimal with 18 digits after the point, as a whole number of units of 10^-18. 1.5 is 15n × 10^17. */
export type Decimal = bigint

const DIGITS = 18
const ZEROS = "0".repeat(DIGITS)
const ONE: Decimal = 10n ** 18n
const PLAIN = /^(-?)(\d+)(?:\.(\d+))?$/

/**
 * Parses a plain decimal with at most 18 digits after the point, such as `-0.15`.
 * @throws RangeError for anything else (`1e-7`, `.5`, ` 1`)
 */
export function parseDecimal(text: string): Decimal {
  const match = PLAIN.exec(text)
  const fraction = match?.[3] ?? ""
  if (!match || fraction.length > DIGITS) {
    throw new RangeError(`expected a plain decimal with at most ${DIGITS} digits after the point, got "${text}"`)
  }
  const value = BigInt(match[2] + fraction) * 10n ** BigInt(DIGITS - fraction.length)
  return match[1] === "-" ? -value : value
}

/**
 * Parses a plain decimal with any number of digits, rounded half to even to 18 digits after the point. Floats as other
 * programs print them can have more, such as `0.0076500000000000005`.
 * @throws RangeError for anything else
 */
export function parseLongDecimal(text: string): Decimal {
  const point = text.indexOf(".")
  const excess = point < 0 ? 0 : text.length - point - 1 - DIGITS
  if (excess <= 0) return parseDecimal(text)
  if (!PLAIN.test(text)) throw new RangeError(`expected a plain decimal, got "${text}"`)
  return divideHalfEven(BigInt(text.replace(".", "")), 10n ** BigInt(excess))
}

/** Returns the sum of two plain decimals. @throws RangeError for anything else */
export function addDecimals(a: string, b: string): string {
  return formatDecimal(parseLongDecimal(a) + parseLongDecimal(b))
}

/** Formats the shortest plain decimal, such as `"0.15"` or `"3"`: no exponent, and no zeros at the end. */
export function formatDecimal(value: Decimal): string {
  if (value <= 0n) return value === 0n ? "0" : `-${formatDecimal(-value)}`
  const digits = value.toString()
  const point = digits.length - DIGITS
  let end = digits.length
  while (end > point && digits.charCodeAt(end - 1) === 48) end--
  if (point <= 0) return `0.${ZEROS.slice(0, -point)}${digits.slice(0, end)}`
  return end === point ? digits.slice(0, point) : `${digits.slice(0, point)}.${digits.slice(point, end)}`
}

/**
 * Converts a JavaScript number to the decimal that it is printed as: `0.1` becomes exactly 0.1, not its binary
 * approximation. Digits after the 18th are dropped.
 * @throws RangeError for NaN and infinities
 */
export function fromNumber(value: number): Decimal {
  if (!Number.isFinite(value)) throw new RangeError(`expected a finite number, got ${value}`)
  if (Number.isSafeInteger(value)) return BigInt(value) * ONE
  const [mantissa = "0", exponent = "0"] = String(value).split("e")
  const [whole = "0", fraction = ""] = mantissa.replace("-", "").split(".")
  const shift = DIGITS - fraction.length + Number(exponent)
  const digits = BigInt(whole + fraction)
  const magnitude = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift)
  return value < 0 ? -magnitude : magnitude
}

/**
 * Returns `a × b`, rounded half to even to 18 digits after the point. The result is exact if both factors together have
 * at most 18 digits after the point.
 */
export function multiply(a: Decimal, b: Decimal): Decimal {
  return divideHalfEven(a * b, ONE)
}

/**
 * Returns `a / b`, rounded half to even to 18 digits after the point.
 * @throws RangeError if `b` is 0
 */
export function divide(a: Decimal, b: Decimal): Decimal {
  return b < 0n ? divideHalfEven(-a * ONE, -b) : divideHalfEven(a * ONE, b)
}

const AMOUNT_DIGITS = 12
const AMOUNT_STEP = 10n ** BigInt(DIGITS - AMOUNT_DIGITS)

/**
 * Returns `quantity × rate × factor / per` as money with 12 digits after the point, the scale of `NUMERIC(20,12)`. The
 * exact product is rounded once, half to even, so that sums over millions of lines drift neither up nor down.
 *
 * Worked example: 4 tokens at 0.0375 USD per million tokens are 0.00000015 USD.
 */
export function amount(of: {
  readonly quantity: number
  readonly rate: Decimal
  readonly factor: Decimal
  readonly per: bigint
}): Decimal {
  let product = of.rate
  let scale = of.per * AMOUNT_STEP
  if (Number.isSafeInteger(of.quantity)) product *= BigInt(of.quantity)
  else {
    product *= fromNumber(of.quantity)
    scale *= ONE
  }
  if (of.factor !== ONE) {
    product *= of.factor
    scale *= ONE
  }
  return divideHalfEven(product, scale) * AMOUNT_STEP
}

/** Rounds half to even to 12 digits after the point. */
export function toMoney(value: Decimal): Decimal {
  return divideHalfEven(value, AMOUNT_STEP) * AMOUNT_STEP
}

/** Divides and rounds to the nearest whole number, or to the even one of two. `divisor` must be positive. */
function divideHalfEven(dividend: bigint, divisor: bigint): bigint {
  let quotient = dividend / divisor
  let rest = dividend % divisor
  if (rest < 0n) {
    rest += divisor
    quotient -= 1n
  }
  const twice = rest * 2n
  return twice > divisor || (twice === divisor && quotient % 2n !== 0n) ? quotient + 1n : quotient
}
