import { type Decimal, formatDecimal, parseLongDecimal } from "./decimal.ts"
import { toWholeUnits } from "./whole-units.ts"

const PICO_DIGITS = 12
/** 10^-12 USD as a `Decimal`. */
const PICO: Decimal = 10n ** 6n
/** Below this number of units, one more cost leaves the sum a whole number that is exact as a float. */
const MAX_PICOS = 2 ** 52

/**
 * Adds up costs exactly, which floats would not: 0.1 + 0.2 is 0.3. It is on the path of each request, so it adds whole
 * numbers of 10^-12 USD, and uses bigints only for a cost of more digits and for what exceeds a few thousand USD.
 */
export class CostTotal {
  private picos = 0
  private carried: Decimal = 0n

  /** @param cost USD as a plain decimal. @throws RangeError for anything else */
  add(cost: string): void {
    const picos = toWholeUnits(cost, PICO_DIGITS, "none")
    if (picos === undefined) this.carried += parseLongDecimal(cost)
    else this.picos += picos
    if (this.picos >= MAX_PICOS) this.carry()
  }

  /** Returns the sum as a plain decimal. */
  toDecimal(): string {
    this.carry()
    return formatDecimal(this.carried)
  }

  private carry(): void {
    this.carried += BigInt(this.picos) * PICO
    this.picos = 0
  }
}
