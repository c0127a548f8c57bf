import type { Rates } from "../core/cost.ts"
import { BUCKETS, type Units } from "../core/usage.ts"
import { REFUSED, type ValueParser } from "./value-parsers.ts"

const UNITS = {
  webSearches: true,
  fileSearches: true,
  groundingQueries: true,
  groundedRequests: true,
  codeContainers: true,
  audioSeconds: true,
  images: true,
} as const satisfies Record<keyof Units, true>

/** `cache_read` -> `cacheRead`: the names of rates as a file writes them. */
const RATE_NAMES = new Map(
  [...BUCKETS, ...(Object.keys(UNITS) as (keyof Units)[])].map((name) => [toSnake(name), name]),
)

/** Prices by model: `{ "my-model": { input: 0.5, output: "1.25", cache_read: 0.05 } }`; text is read as JSON. */
export const priceTable: ValueParser<Readonly<Record<string, Rates>>, ""> = {
  unit: "",
  expected: `prices by model in USD per million tokens, each of ${[...RATE_NAMES.keys()].join(", ")}, not negative`,
  parse: (raw) => {
    const models = typeof raw === "string" ? parseJson(raw) : raw
    if (!isRecord(models)) return REFUSED
    const table: Record<string, Rates> = {}
    for (const [model, given] of Object.entries(models)) {
      const rates = toRates(given)
      if (rates === undefined || model === "") return REFUSED
      table[model] = rates
    }
    return table
  },
}

function toRates(given: unknown): Rates | undefined {
  if (!isRecord(given) || Object.keys(given).length === 0) return undefined
  const rates: Record<string, string> = {}
  for (const [key, value] of Object.entries(given)) {
    const name = RATE_NAMES.get(key)
    const decimal = toDecimal(value)
    if (name === undefined || decimal === undefined) return undefined
    rates[name] = decimal
  }
  return rates
}

/** 0.15 -> "0.15"; 1e-7 -> "0.0000001"; text must be a plain decimal already. */
function toDecimal(value: unknown): string | undefined {
  if (typeof value === "string") return /^\d{1,9}(\.\d{1,12})?$/.test(value) ? value : undefined
  if (typeof value !== "number" || !(value >= 0 && value < 1e9)) return undefined
  const plain = String(value)
  return plain.includes("e") ? value.toFixed(12).replace(/\.?0+$/, "") : plain
}

function toSnake(name: string): string {
  return name.replace(/1h$/, "_1h").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function parseJson(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text)
  } catch {
    return undefined
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
