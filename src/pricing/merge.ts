import type { PriceEntry, RateName, Rates } from "../core/cost.ts"
import { completeRates } from "./derive.ts"
import { isBucket, RATE_NAMES, type Row } from "./row.ts"

/** A price, and which of its rates may be wrong and why. */
export interface Merged {
  readonly entry: PriceEntry
  readonly unsure: { readonly [K in RateName]?: string }
}

/**
 * One price out of what the sources say, best source first: each rate is the first source's that lists it. A rate that
 * the user gave holds for requests of any size, unless the user gave long-context rates too.
 */
export function mergeRows(rows: readonly Row[], of: { readonly model: string; readonly owner: string }): Merged {
  const listed: { [K in RateName]?: string } = {}
  const sources: { [K in RateName]?: { readonly source: string; readonly date: string | undefined } } = {}
  const unsure: { [K in RateName]?: string } = {}
  const inputRow = rows.find((row) => row.base.input !== undefined)
  for (const name of RATE_NAMES) {
    const row = rows.find((each) => each.base[name] !== undefined)
    if (!row) continue
    listed[name] = row.base[name] as string
    sources[name] = { source: row.source, date: row.date }
    // A list with another input price is older or newer: its other rates may be, too.
    if (inputRow && isBucket(name) && row !== inputRow && disagree(inputRow, row)) {
      unsure[name] = `${name} is from ${row.source}, whose input rate is not the one of ${inputRow.source}`
    }
  }
  const { rates: base, derived } = completeRates(listed, of)
  for (const [name, doubt] of derived) {
    sources[name] = { source: "derived", date: undefined }
    if (doubt !== undefined) unsure[name] = doubt
  }
  const tiers = thresholdsOf(rows).map((above) => ({
    above,
    rates: completeRates({ ...listed, ...tierRates(rows, above) }, of).rates,
  }))
  return { entry: { model: of.model, base, tiers, sources }, unsure }
}

const USERS: ReadonlySet<string> = new Set(["overrides", "fallback_file"])

function disagree(winner: Row, other: Row): boolean {
  return !USERS.has(winner.source) && other.base.input !== undefined && other.base.input !== winner.base.input
}

/** The long-context rates of one threshold, best source first; below a user's flat rate nothing counts. */
function tierRates(rows: readonly Row[], above: number): Rates {
  const rates: { [K in RateName]?: string } = {}
  for (const name of RATE_NAMES) {
    for (const row of rows) {
      const tier = row.tiers.find((each) => isSame(each.above, above))
      if (tier?.rates[name] !== undefined) rates[name] = tier.rates[name]
      if (rates[name] !== undefined || (USERS.has(row.source) && row.base[name] !== undefined)) break
    }
  }
  return rates
}

/** `>272k` of one list and `from 272k` (over 271,999) of another are one threshold: the smaller number says more. */
function isSame(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1
}

function thresholdsOf(rows: readonly Row[]): readonly number[] {
  const thresholds: number[] = []
  for (const above of rows.flatMap((row) => row.tiers.map((tier) => tier.above)).sort((a, b) => a - b)) {
    if (!thresholds.some((each) => isSame(each, above))) thresholds.push(above)
  }
  return thresholds
}
