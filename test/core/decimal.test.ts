import { describe, expect, test } from "vitest"
import {
  amount,
  divide,
  formatDecimal,
  fromNumber,
  multiply,
  parseDecimal,
  parseLongDecimal,
  toMoney,
} from "../../src/core/decimal.ts"

const round = (text: string) => formatDecimal(toMoney(parseDecimal(text)))

describe("a decimal", () => {
  test.each(["0", "1", "0.15", "123456789.123456789012", "0.000000000000000001", "-0.5"])(
    "%s is written as it was read",
    (text) => expect(formatDecimal(parseDecimal(text))).toBe(text),
  )

  test("is formatted without zeros at the end", () => {
    expect(formatDecimal(parseDecimal("007.1500"))).toBe("7.15")
    expect(formatDecimal(parseDecimal("100"))).toBe("100")
  })

  test.each(["", "1e-7", ".5", "5.", " 1", "1,5", "NaN", "0x10", "+1", "1.0000000000000000001"])(
    "%j is refused",
    (text) => expect(() => parseDecimal(text)).toThrow(RangeError),
  )

  test("a decimal with more than 18 digits is rounded half to even where that is allowed", () => {
    expect(formatDecimal(parseLongDecimal("0.0076500000000000005"))).toBe("0.00765")
    expect(formatDecimal(parseLongDecimal("1.0000000000000000015"))).toBe("1.000000000000000002")
    expect(formatDecimal(parseLongDecimal("0.25"))).toBe("0.25")
    expect(() => parseLongDecimal("0.00000000000000000001e5")).toThrow(RangeError)
  })

  test("has the value that a number is printed as, not its binary approximation", () => {
    expect(formatDecimal(fromNumber(0.1))).toBe("0.1")
    expect(formatDecimal(fromNumber(1e-7))).toBe("0.0000001")
    expect(formatDecimal(fromNumber(1.5e21))).toBe("1500000000000000000000")
    expect(formatDecimal(fromNumber(-0.000125))).toBe("-0.000125")
    expect(() => fromNumber(Number.NaN)).toThrow(RangeError)
  })
})

describe("arithmetic", () => {
  test("0.1 + 0.2 is 0.3", () => {
    expect(formatDecimal(parseDecimal("0.1") + parseDecimal("0.2"))).toBe("0.3")
  })

  test("a product of short decimals is exact", () => {
    expect(formatDecimal(multiply(parseDecimal("0.123456789"), parseDecimal("1.1")))).toBe("0.1358024679")
  })

  test("a quotient has 18 digits after the point", () => {
    expect(formatDecimal(divide(parseDecimal("0.111"), parseDecimal("3600")))).toBe("0.000030833333333333")
    expect(formatDecimal(divide(parseDecimal("-1"), parseDecimal("8")))).toBe("-0.125")
    expect(formatDecimal(divide(parseDecimal("1"), parseDecimal("-8")))).toBe("-0.125")
  })

  test("money has 12 digits after the point, and is rounded half to even", () => {
    expect(round("0.0000000000005")).toBe("0")
    expect(round("0.0000000000015")).toBe("0.000000000002")
    expect(round("0.0000000000025")).toBe("0.000000000002")
    expect(round("0.00000000000250001")).toBe("0.000000000003")
    expect(round("-0.0000000000015")).toBe("-0.000000000002")
    expect(round("-0.0000000000005")).toBe("0")
  })

  test("an amount is rounded once, after all multiplications", () => {
    // 1 × 0.000001 / 1e6 × 0.5 is 0.0000000000005. Rounded before the factor, it would be 0.000000000001 × 0.5.
    const half = { quantity: 1, rate: parseDecimal("0.000001"), factor: parseDecimal("0.5"), per: 1_000_000n }
    expect(formatDecimal(amount(half))).toBe("0")
    expect(formatDecimal(amount({ ...half, quantity: 3 }))).toBe("0.000000000002")
  })

  test("an amount is exact where floats are not", () => {
    const of = { quantity: 9_007_199_254_740_991, rate: parseDecimal("0.123456789012"), factor: parseDecimal("1.5") }
    // The result in units of 10^-12, computed with integers of any size.
    const doubled = 9_007_199_254_740_991n * 123_456_789_012n * 3n
    expect(doubled % 2n).toBe(0n)
    expect(amount({ ...of, per: 1n }) / 10n ** 6n).toBe(doubled / 2n)
  })

  test("a quantity can have a fraction, such as seconds of audio", () => {
    expect(formatDecimal(amount({ quantity: 2.5, rate: parseDecimal("0.0001"), factor: fromNumber(1), per: 1n }))).toBe(
      "0.00025",
    )
  })
})
