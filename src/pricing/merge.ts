import type { KindRates, PriceEntry, RateName, Rates } from "../core/cost.ts"
import { isBucket, RATE_NAMES } from "../core/rates.ts"
import { completeRates } from "./derive.ts"
import type { Row } from "./row.ts"

/** A price, and the reasons why some of its rates may be wrong. */
export interface Merged {
  readonly entry: PriceEntry
  readonly unsure: { readonly [K in RateName]?: string }
  /** The rates that the user set, and those that follow from them. */
  readonly usersRates: readonly RateName[]
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
    const doubt = doubtOf(name, row, rows)
    if (doubt !== undefined) unsure[name] = doubt
    // A source with another input rate may be from another time, so its other rates may be wrong as well.
    if (inputRow && isBucket(name) && row !== inputRow && disagree(inputRow, row)) {
      unsure[name] = `${name} is from ${row.source}, whose input rate is not the one of ${inputRow.source}`
    }
  }
  const kinds = mergeKinds(rows, sources)
  const isInCatalog = rows.some(({ source, model }) => CATALOG.has(source) && model !== "")
  const { rates: base, derived } = completeRates(listed, { ...of, isInCatalog })
  const isUsers = (name: RateName) => USERS.has(sources[derived.get(name)?.root ?? name]?.source ?? "")
  const usersRates = RATE_NAMES.filter(isUsers)
  for (const [name, { doubt }] of derived) {
    sources[name] = { source: "derived", date: undefined }
    if (doubt !== undefined) unsure[name] = doubt
  }
  let reached: Rates = listed
  const tiers = thresholdsOf(rows).map((above) => {
    reached = { ...reached, ...tierRates(rows, above) }
    return { above, rates: completeRates(reached, { ...of, isInCatalog }).rates }
  })
  return { entry: { model: of.model, base, ...(kinds ? { kinds } : {}), tiers, sources }, unsure, usersRates }
}

/**
 * Returns the rates by kind of the units for which no row before has a flat rate, and notes their source. A flat rate of
 * the same row is that of all other kinds.
 */
function mergeKinds(
  rows: readonly Row[],
  sources: Record<string, PriceEntry["sources"][RateName]>,
): KindRates | undefined {
  const kinds: Record<string, string> = {}
  for (const row of rows) {
    for (const [name, rate] of Object.entries(row.kinds ?? {})) {
      const unit = name.slice(0, name.indexOf("/")) as RateName
      const owner = rows.find(({ base }) => base[unit] !== undefined)
      if (owner !== undefined && owner !== row) continue
      kinds[name] ??= rate
      sources[unit] ??= { source: row.source, date: row.date }
    }
  }
  return Object.keys(kinds).length > 0 ? kinds : undefined
}

/** The sources whose rows are models of the catalog. */
const CATALOG: ReadonlySet<string> = new Set(["genai-prices", "majordomo"])
const USERS: ReadonlySet<string> = new Set(["overrides", "stored_overrides", "fallback_file"])

/** Returns why a rate may be wrong, by the row that has it or by another one that has the same rate. */
function doubtOf(name: RateName, taken: Row, rows: readonly Row[]): string | undefined {
  if (USERS.has(taken.source)) return undefined
  return rows.find((each) => each.base[name] === taken.base[name] && each.unsure?.[name] !== undefined)?.unsure?.[name]
}

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
