import {
  type Discount,
  type OwnPrice,
  type OwnPrices,
  parseOwnPrices,
  parsePercent,
  parsePeriod,
  toDiscountFactor,
} from "../core/own-prices.ts"
import { RATES_BY_KEY } from "../core/rates.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { INVALID, type ValueParser } from "./value-parsers.ts"

/**
 * Prices by model: `{ "my-model": { input: 0.5, output: "1.25", cache_read: 0.05 } }`, with `tiers`, `from` and `to` where
 * needed. Text is parsed as JSON.
 */
export const priceTable: ValueParser<OwnPrices, ""> = {
  unit: "",
  expected: `prices by model in USD per million tokens, each of ${[...RATES_BY_KEY.keys()].join(", ")}, not negative; further keys are tiers (a list, each with above), from and to (days)`,
  parse: (raw) => {
    const models = typeof raw === "string" ? parseJson(raw) : raw
    if (!isRecord(models)) return INVALID
    const table: Record<string, readonly OwnPrice[]> = {}
    for (const [model, value] of Object.entries(models)) {
      const prices = valid(() => parseOwnPrices(model, value))
      if (prices === INVALID || model === "") return INVALID
      table[model] = prices
    }
    return table
  },
}

/** A discount, such as `10%`, or a list of discounts for different periods. Text that starts with `[` is parsed as JSON. */
export const discounts: ValueParser<readonly Discount[], ""> = {
  unit: "",
  expected: "a percentage such as 10%, or a list such as [{ percent: 10%, from: 2026-10-01, to: 2027-10-01 }]",
  parse: (raw) => {
    const given = typeof raw === "string" && raw.startsWith("[") ? parseJson(raw) : raw
    const list: readonly unknown[] = Array.isArray(given) ? given : [{ percent: given }]
    const found: Discount[] = []
    for (const each of list) {
      if (!isRecord(each) || Object.keys(each).some((key) => !["percent", "from", "to"].includes(key))) return INVALID
      const text = String(each["percent"]).trim()
      const percent = text.endsWith("%") ? parsePercent(text.slice(0, -1)) : undefined
      const period = valid(() => parsePeriod("discount", each))
      if (percent === undefined || period === INVALID) return INVALID
      found.push({ factor: toDiscountFactor(percent), ...period })
    }
    return found.length === 0 ? INVALID : found
  },
}

/** Returns the result of `parse`, or `INVALID` if it throws. The caller then says what is expected. */
function valid<T>(parse: () => T): T | typeof INVALID {
  try {
    return parse()
  } catch {
    return INVALID
  }
}

function parseJson(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text)
  } catch {
    return undefined
  }
}
