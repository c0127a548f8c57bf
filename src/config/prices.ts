import type { Rates } from "../core/cost.ts"
import { RATE_NAMES, toRateLabel } from "../core/rate-names.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { INVALID, type ValueParser } from "./value-parsers.ts"

/** The names of rates by their names in a file: `cache_read` -> `cacheRead`. */
const NAMES_BY_LABEL = new Map(RATE_NAMES.map((name) => [toRateLabel(name), name]))

/** Prices by model: `{ "my-model": { input: 0.5, output: "1.25", cache_read: 0.05 } }`. Text is parsed as JSON. */
export const priceTable: ValueParser<Readonly<Record<string, Rates>>, ""> = {
  unit: "",
  expected: `prices by model in USD per million tokens, each of ${[...NAMES_BY_LABEL.keys()].join(", ")}, not negative`,
  parse: (raw) => {
    const models = typeof raw === "string" ? parseJson(raw) : raw
    if (!isRecord(models)) return INVALID
    const table: Record<string, Rates> = {}
    for (const [model, value] of Object.entries(models)) {
      const rates = toRates(value)
      if (rates === undefined || model === "") return INVALID
      table[model] = rates
    }
    return table
  },
}

function toRates(prices: unknown): Rates | undefined {
  if (!isRecord(prices) || Object.keys(prices).length === 0) return undefined
  const rates: Record<string, string> = {}
  for (const [key, value] of Object.entries(prices)) {
    const name = NAMES_BY_LABEL.get(key)
    const decimal = toDecimal(value)
    if (name === undefined || decimal === undefined) return undefined
    rates[name] = decimal
  }
  return rates
}

/** Converts a rate to a plain decimal: 0.15 -> "0.15", 1e-7 -> "0.0000001". Text must be a plain decimal already. */
function toDecimal(value: unknown): string | undefined {
  if (typeof value === "string") return /^\d{1,9}(\.\d{1,12})?$/.test(value) ? value : undefined
  if (typeof value !== "number" || !(value >= 0 && value < 1e9)) return undefined
  const plain = String(value)
  return plain.includes("e") ? value.toFixed(12).replace(/\.?0+$/, "") : plain
}

function parseJson(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text)
  } catch {
    return undefined
  }
}
