import { describe, expect, test } from "vitest"
import { formatDecimal, parseLongDecimal } from "../../src/core/decimal.ts"
import { fromUnits, toUnits } from "../../src/core/limit-units.ts"
import { createRandom } from "../providers/_random.ts"

const NANO = 10n ** 9n
const ONE = 10n ** 18n

/** Returns the units of a decimal by whole numbers of any length. */
function plainUnits(decimal: string, measure: "cost" | "tokens", rounding: "up" | "down"): number {
  const step = measure === "cost" ? NANO : ONE
  const value = parseLongDecimal(decimal)
  const down = (value - (((value % step) + step) % step)) / step
  return Number(rounding === "up" && down * step < value ? down + 1n : down)
}

describe("units of a limit", () => {
  test("are what whole numbers of any length give, for decimals of every length", () => {
    const random = createRandom(3)
    const digits = (most: number) =>
      Array.from({ length: random.below(most + 1) }, () => random.one([..."00012459"])).join("")
    for (let round = 0; round < 1_500; round++) {
      const fraction = digits(random.one([3, 9, 12, 18, 25]))
      const sign = random.below(20) === 0 ? "-" : ""
      const decimal = `${sign}${random.below(10)}${digits(random.one([0, 3, 15, 20]))}${fraction && `.${fraction}`}`
      for (const measure of ["cost", "tokens"] as const) {
        for (const rounding of ["up", "down"] as const) {
          const units = toUnits(decimal, measure, rounding)
          expect([decimal, measure, rounding, units + 0]).toEqual([
            decimal,
            measure,
            rounding,
            plainUnits(decimal, measure, rounding) + 0,
          ])
        }
      }
    }
  })

  test("are written as whole numbers of any length are", () => {
    const random = createRandom(4)
    for (let round = 0; round < 1_500; round++) {
      const units = Math.floor(random.next() * 10 ** random.below(18)) * random.one([1, 1, 1000, -1]) + 0
      expect(fromUnits(units, "cost")).toBe(formatDecimal(BigInt(units) * NANO))
      expect(fromUnits(units, "tokens")).toBe(formatDecimal(BigInt(units) * ONE))
    }
  })

  test.each(["", ".", ".5", "1.", "1e3", " 1", "1,5", "1.2.3", "٣"])("are not read from %j", (text) => {
    expect(() => toUnits(text, "cost", "up")).toThrow(RangeError)
    expect(() => toUnits(text, "tokens", "down")).toThrow(RangeError)
  })
})
