import type { CostFactor, CostLine, PriceEntry, RateName, Rates, Resolution, Resolve } from "./cost.ts"
import { amount, type Decimal, formatDecimal, fromNumber, multiply, parseDecimal } from "./decimal.ts"
import { BUCKETS, type Bucket, type Part, type Reading, type Units } from "./usage.ts"

/** The lines of a reading and what they add up to, or why there is no sum. */
export type Sum =
  | {
      readonly kind: "sum"
      readonly lines: readonly CostLine[]
      readonly input: Decimal
      readonly output: Decimal
      readonly doubts: readonly string[]
      /** What the token lines were multiplied with, by name. */
      readonly factors: readonly CostFactor[]
    }
  | { readonly kind: "free"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string }

type Priced = Extract<Resolution, { kind: "priced" }>
type Add = (line: Omit<CostLine, "side" | "per" | "amount" | "factor">, factor: Decimal) => void

const OUTPUT: ReadonlySet<RateName> = new Set(["output", "reasoning", "outputAudio", "outputImage", "images"])
const TOKENS: ReadonlySet<RateName> = new Set(BUCKETS)
const ONE = fromNumber(1)
const MILLION = 1_000_000n
export const NO_USAGE_REASON = "the answer reported no usage"

/** Adds up every part at its own model's rates, and the fees at the first part's. */
export function sumOf(reading: Reading, resolve: Resolve): Sum {
  const lines: CostLine[] = []
  const doubts = new Set<string>()
  const factors = new Map<string, CostFactor>()
  let input = 0n
  let output = 0n
  const add: Add = ({ bucket, model, quantity, rate, source, date }, factor) => {
    const isToken = TOKENS.has(bucket)
    const value = amount({ quantity, rate: parseDecimal(rate), factor, per: isToken ? MILLION : 1n })
    const side = OUTPUT.has(bucket) ? "output" : "input"
    if (side === "input") input += value
    else output += value
    lines.push({
      side,
      bucket,
      model,
      quantity,
      rate,
      per: isToken ? "million" : "one",
      factor: factor === ONE ? "1" : formatDecimal(factor),
      amount: formatDecimal(value),
      source,
      ...(date !== undefined && { date }),
    })
  }

  const main = resolve(reading.model)
  if (main.kind === "free") return main
  const units = Object.entries(reading.units).filter(([, quantity]) => quantity > 0) as [keyof Units, number][]
  if (units.length === 0 && (reading.source === "none" || reading.parts.length === 0)) return unknown(NO_USAGE_REASON)
  for (const part of reading.parts) {
    const resolution = part.model === undefined || part.model === reading.model ? main : resolve(part.model)
    if (resolution.kind !== "priced") return unknown(resolution.reason)
    for (const factor of resolution.factors) factors.set(factor.name, factor)
    const bucket = addPart(part, resolution, add, doubts)
    if (bucket !== undefined) return unknown(`no rate for ${bucket} of ${resolution.entry.model}`)
  }
  if (units.length > 0) {
    if (main.kind === "unknown") return main
    addUnits(units, main, add, doubts)
    if (reading.parts.length === 0 && lines.length === 0) return unknown([...doubts].join("; "))
  }
  return { kind: "sum", lines, input, output, doubts: [...doubts], factors: [...factors.values()] }
}

function unknown(reason: string): Sum {
  return { kind: "unknown", reason }
}

/** Adds a line per bucket in use; gives the bucket that has no rate, if one has none. */
function addPart(part: Part, resolution: Priced, add: Add, doubts: Set<string>): Bucket | undefined {
  const { entry, factors } = resolution
  const rates = ratesAt(entry, part.contextTokens)
  let factor = ONE
  for (const { value } of factors) factor = multiply(factor, parseDecimal(value))
  for (const doubt of resolution.doubts) doubts.add(doubt)
  for (const bucket of BUCKETS) {
    const quantity = part.usage[bucket]
    if (quantity === 0) continue
    const rate = rates[bucket]
    if (rate === undefined) return bucket
    const unsure = resolution.unsure[bucket]
    if (unsure !== undefined) doubts.add(unsure)
    add({ bucket, model: entry.model, quantity, rate, ...sourceOf(entry, bucket) }, factor)
  }
  return undefined
}

/** Adds a line per kind of fee. Fees know no tier, no discount. One whose rate is not known makes the sum a lower bound. */
function addUnits(
  units: readonly (readonly [keyof Units, number])[],
  { entry, unsure, doubts: general }: Priced,
  add: Add,
  doubts: Set<string>,
): void {
  for (const doubt of general) doubts.add(doubt)
  for (const [bucket, quantity] of units) {
    const rate = entry.base[bucket]
    if (rate === undefined) {
      doubts.add(`no rate for ${bucket} of ${entry.model}: not in the sum`)
      continue
    }
    const doubt = unsure[bucket]
    if (doubt !== undefined) doubts.add(doubt)
    add({ bucket, model: entry.model, quantity, rate, ...sourceOf(entry, bucket) }, ONE)
  }
}

function sourceOf(entry: PriceEntry, name: RateName): { readonly source: string; readonly date?: string } {
  const { source, date } = entry.sources[name] ?? { source: "unknown", date: undefined }
  return date === undefined ? { source } : { source, date }
}

/** The rates for a request of that size: the highest tier that it exceeds holds for all of it, not for the excess. */
function ratesAt(entry: PriceEntry, contextTokens: number): Rates {
  let rates = entry.base
  for (const tier of entry.tiers) if (contextTokens > tier.above) rates = { ...rates, ...tier.rates }
  return rates
}
