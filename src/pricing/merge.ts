import type { PriceEntry, RateName, Rates } from "../core/cost.ts"
import { isBucket, RATE_NAMES } from "../core/rate-names.ts"
import { completeRates } from "./derive.ts"
import type { Row } from "./row.ts"

/** A price, and the reasons why some of its rates may be wrong. */
export interface Merged {
  readonly entry: PriceEntry
  readonly unsure: { readonly [K in RateName]?: string }
}

/**
 * Merges the rows of several sources into one price. Rows come in the order of their priority, and each rate is taken
 * from the first row that has it. A rate that the user configured applies to requests of any size, unless the user
 * configured long-context rates as well.
 *
 * Worked example: `{ input: "1" }` from `overrides`, then `{ input: "2", output: "8" }` from `genai-prices`, is
 * `{ input: "1", output: "8" }`.
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
    // A source with another input rate may be from another time, so its other rates may be wrong as well.
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

/** Returns the long-context rates above one threshold. A flat rate of the user hides the tiers of all later sources. */
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

/** Returns whether two thresholds are one: `>272k` of one list, and `from 272k` (above 271,999) of another. */
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
