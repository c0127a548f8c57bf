import type { CostFactor, CostLine, PriceEntry, RateName, Rates, Resolution, Resolve } from "./cost.ts"
import { amount, type Decimal, formatDecimal, fromNumber, multiply, parseDecimal } from "./decimal.ts"
import { BUCKETS, type Bucket, type Part, type Reading, type UnitKinds, type Units } from "./usage.ts"

/** The lines of a reading and their totals, or the reason why there are none. */
export type Sum =
  | {
      readonly kind: "sum"
      readonly lines: readonly CostLine[]
      readonly input: Decimal
      readonly output: Decimal
      readonly doubts: readonly string[]
      /** The multipliers of the token lines; each name occurs once. */
      readonly factors: readonly CostFactor[]
    }
  | { readonly kind: "free"; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string }

type Priced = Extract<Resolution, { kind: "priced" }>
const OUTPUT: ReadonlySet<RateName> = new Set([
  "output",
  "reasoning",
  "outputAudio",
  "outputImage",
  "images",
  "videoSeconds",
])
const TOKENS: ReadonlySet<RateName> = new Set(BUCKETS)
const ONE = fromNumber(1)
const MILLION = 1_000_000n
/** The reason of an answer without usage; more may follow it. Stored rows are compared with it, so the text must not change. */
export const NO_USAGE_REASON = "the answer reported no usage"

/** Adds up all parts, each at the rates of its own model, and the fees at the rates of the model that answered. */
export function sumOf(reading: Reading, resolve: Resolve): Sum {
  const sum = new LineSum()
  let factors: Map<string, CostFactor> | undefined
  const main = resolve(reading.model)
  if (main.kind === "free") return main
  const units = unitsIn(reading.units)
  if (units.length === 0 && (reading.source === "none" || reading.parts.length === 0)) {
    return unknown([NO_USAGE_REASON, ...(reading.missing ?? NOTHING)].join(": "))
  }
  for (const part of reading.parts) {
    const resolution = part.model === undefined || part.model === reading.model ? main : resolve(part.model)
    if (resolution.kind !== "priced") return unknown(resolution.reason)
    for (const factor of resolution.factors) factors = (factors ?? new Map()).set(factor.name, factor)
    if (straddlesTier(part, resolution.entry)) sum.doubts.add(BANDS_REASON)
    const bucket = addPart(part, resolution, sum)
    if (bucket !== undefined) return unknown(`no rate for ${bucket} of ${resolution.entry.model}`)
  }
  if (units.length > 0) {
    if (main.kind === "unknown") return main
    for (const factor of main.factors) if (factor.fees) factors = (factors ?? new Map()).set(factor.name, factor)
    addUnits(units, reading.kinds, { resolution: main, sum })
    if (sum.lines.length === 0) return unknown([...sum.doubts].join("; "))
  }
  for (const reason of reading.missing ?? NOTHING) sum.doubts.add(reason)
  const { lines, input, output, doubts } = sum
  return { kind: "sum", lines, input, output, doubts: [...doubts], factors: factors ? [...factors.values()] : NONE }
}

const NONE: readonly CostFactor[] = []
const NOTHING: readonly string[] = []

type Line = CostLine & { date?: string; kind?: string }

/** The lines that have been added, and their totals. */
class LineSum {
  readonly lines: CostLine[] = []
  readonly doubts = new Set<string>()
  input = 0n
  output = 0n

  add(bucket: RateName, quantity: number, entry: PriceEntry, rate: string, factor: Decimal): Line {
    const isToken = TOKENS.has(bucket)
    const value = amount({ quantity, rate: readRate(rate), factor, per: isToken ? MILLION : 1n })
    const side = OUTPUT.has(bucket) ? "output" : "input"
    if (side === "input") this.input += value
    else this.output += value
    const { source, date } = entry.sources[bucket] ?? UNKNOWN_SOURCE
    const line: Line = {
      side,
      bucket,
      model: entry.model,
      quantity,
      rate,
      per: isToken ? "million" : "one",
      factor: factor === ONE ? "1" : formatDecimal(factor),
      amount: formatDecimal(value),
      source,
    }
    if (date !== undefined) line.date = date
    this.lines.push(line)
    return line
  }
}

const UNKNOWN_SOURCE = { source: "unknown", date: undefined }

/** Parsed rates by their text: the same few occur in every request. */
const rates = new Map<string, Decimal>()
const MAX_RATES = 10_000

function readRate(text: string): Decimal {
  let rate = rates.get(text)
  if (rate === undefined) {
    if (rates.size >= MAX_RATES) rates.clear()
    rate = parseDecimal(text)
    rates.set(text, rate)
  }
  return rate
}

const NO_UNITS: readonly [keyof Units, number][] = []

function unitsIn(units: Units): readonly [keyof Units, number][] {
  for (const _ in units)
    return (Object.entries(units) as [keyof Units, number][]).filter(([, quantity]) => quantity > 0)
  return NO_UNITS
}

function unknown(reason: string): Sum {
  return { kind: "unknown", reason }
}

/** Adds a line for each bucket in use. Returns the first bucket that has no rate, if there is one. */
function addPart(part: Part, resolution: Priced, sum: LineSum): Bucket | undefined {
  const { entry, factors } = resolution
  const rates = part.role === "decision" ? decisionRates(entry) : ratesAt(entry, part.contextTokens)
  for (const doubt of resolution.doubts) sum.doubts.add(doubt)
  for (const bucket of BUCKETS) {
    const quantity = part.usage[bucket]
    if (quantity === 0 || (part.role === "decision" && OUTPUT.has(bucket))) continue
    const rate = rates[bucket]
    if (rate === undefined || (part.isSpoken && isTextRate(bucket, entry))) return bucket
    const unsure = resolution.unsure[bucket]
    if (unsure !== undefined) sum.doubts.add(unsure)
    sum.add(bucket, quantity, entry, rate, factorOf(factors, bucket))
  }
  return undefined
}

/** Returns true for a rate of sound that was taken from the one for text. */
function isTextRate(bucket: Bucket, { sources }: PriceEntry): boolean {
  if (bucket === "cacheReadAudio") return isDerived(sources[bucket]) && isDerived(sources.inputAudio)
  return (bucket === "inputAudio" || bucket === "outputAudio") && isDerived(sources[bucket])
}

function isDerived(origin: { readonly source: string } | undefined): boolean {
  return origin === undefined || origin.source === "derived"
}

/** Returns the product of the multipliers that apply to a line. */
function factorOf(factors: readonly CostFactor[], bucket: RateName): Decimal {
  let product = ONE
  for (const { value, except, fees } of factors) {
    if (except?.includes(bucket) || (!fees && !TOKENS.has(bucket))) continue
    product = multiply(product, parseDecimal(value))
  }
  return product
}

/**
 * Adds a line for each kind of fee. Long-context tiers and service tiers do not apply to fees. A fee whose rate is not
 * known is left out, which makes the sum a lower bound.
 */
function addUnits(
  units: readonly (readonly [keyof Units, number])[],
  kinds: UnitKinds | undefined,
  { resolution, sum }: { readonly resolution: Priced; readonly sum: LineSum },
): void {
  const { entry, factors, unsure, doubts } = resolution
  for (const doubt of doubts) sum.doubts.add(doubt)
  for (const [bucket, quantity] of units) {
    const kind = kinds?.[bucket]
    const ofKind = kind === undefined ? undefined : entry.kinds?.[`${bucket}/${kind}`]
    const rate = ofKind ?? entry.base[bucket]
    const what = kind === undefined ? bucket : `${bucket} (${kind})`
    if (rate === undefined) {
      sum.doubts.add(`no rate for ${what} of ${entry.model}: not in the sum`)
      continue
    }
    if (kind !== undefined && ofKind === undefined && hasKinds(entry, bucket)) {
      sum.doubts.add(`no rate for ${what} of ${entry.model}: taken from ${bucket}`)
    }
    const doubt = unsure[bucket]
    if (doubt !== undefined) sum.doubts.add(doubt)
    const line = sum.add(bucket, quantity, entry, rate, factorOf(factors, bucket))
    if (kind !== undefined && ofKind !== undefined) line.kind = kind
  }
}

function hasKinds({ kinds }: PriceEntry, bucket: keyof Units): boolean {
  for (const name in kinds) if (name.startsWith(`${bucket}/`)) return true
  return false
}

/** Returns the rates of a decision, whose input costs the same whether it was cached or not, at any size. */
function decisionRates({ base: { input } }: PriceEntry): Rates {
  return input === undefined
    ? {}
    : { input, inputImage: input, cacheRead: input, cacheReadImage: input, cacheWrite: input }
}

const BANDS_REASON = "requests on both sides of a long-context threshold were added up: priced at the long rate"

/** Returns whether a part is the sum of requests to which different rates apply. */
function straddlesTier({ leastContextTokens: least, contextTokens }: Part, entry: PriceEntry): boolean {
  return least !== undefined && entry.tiers.some(({ above }) => least <= above && contextTokens > above)
}

/**
 * Returns the rates of a request with `contextTokens` tokens. The highest tier that it exceeds applies to the whole
 * request, not only to the excess.
 *
 * Worked example: with a tier above 200,000, a request of 200,000 tokens has the base rates, one of 200,001 the tier's.
 */
function ratesAt(entry: PriceEntry, contextTokens: number): Rates {
  let rates = entry.base
  for (const tier of entry.tiers) if (contextTokens > tier.above) rates = { ...rates, ...tier.rates }
  return rates
}
