import type { Rates } from "../core/cost.ts"
import { formatDecimal, fromNumber } from "../core/decimal.ts"
import { correct } from "./corrections.ts"
import type { ListedPrice } from "./listed-price.ts"
import { keyOf, parseListedRates, parseListing } from "./llm-prices-layout.ts"
import { findVersion, type PriceHistory, type PriceVersion, type SeenPrice } from "./price-history.ts"
import type { Row } from "./row.ts"

/** The list of llm-prices.com, prepared for lookups. */
export interface LlmPrices {
  /** The day of the list, `YYYY-MM-DD`. */
  readonly day: string
  readonly size: number
  /**
   * Finds the row of a model by the catalog's provider and the list's own id, with the prices of the time `at`, corrected.
   * If the prices of that time are not known, the row has the first ones known.
   */
  find(provider: string, id: string, at: number): Row | undefined
  /** Returns when the row that `find` returns applied. */
  termOf(provider: string, id: string, at: number): ListedTerm
  /** Returns the times at which the prices of a model changed, in milliseconds since the epoch. */
  changesOf(provider: string, id: string): readonly number[]
  /** Returns all models of the list by the catalog's provider. Long-context rows are not models. */
  ids(): readonly { readonly provider: string; readonly id: string }[]
  /** Returns the prices of all rows. */
  seen(): readonly SeenPrice[]
}

/** The time in which the list had a row's prices. */
interface ListedTerm {
  /** The first day on which the list is known to have had these prices, if it is after the time that was asked for. */
  readonly knownFrom: string | undefined
  /** The last day on which the list is known to have had these prices. */
  readonly confirmedUntil: string
}

const LONG = /^(.+)-(\d+)k$/
const NO_HISTORY: Pick<PriceHistory, "versionsOf"> = { versionsOf: () => [] }

/**
 * Parses `{ updated_at, prices: [{ id, vendor, name, input, output, input_cached }] }`. Rows can have `from_date` and
 * `to_date`, as in the list's own history; they then have priority over what the gateway has seen.
 *
 * @param fetchedAt the day of a list that does not say its own
 * @throws Error that says what is wrong with the list
 */
export function parseLlmPrices(body: unknown, history = NO_HISTORY, fetchedAt = 0): LlmPrices {
  const { day, rows, periods } = parseListing(body, fetchedAt)
  const long = longRows(rows)

  const versionsOf = (provider: string, id: string): readonly PriceVersion[] => {
    const key = keyOf(provider, id)
    const versions = periods.get(key) ?? history.versionsOf("llm-prices.com", provider, id)
    const row = rows.get(key)
    return versions.length === 0 && row ? [{ from: Date.parse(day), prices: row }] : versions
  }
  const listedAt = (provider: string, id: string, at: number): ListedPrice | undefined => {
    const versions = versionsOf(provider, id)
    const rates = parseListedRates((findVersion(versions, at) ?? versions[0])?.prices)
    return rates && { ...(rows.get(keyOf(provider, id)) ?? { id, vendor: provider, name: "" }), ...rates }
  }
  const dateOf = (provider: string, id: string, at: number): string => {
    const versions = versionsOf(provider, id)
    const version = findVersion(versions, at)
    return version === undefined || version === versions.at(-1) ? day : toDay(version.from)
  }

  return {
    day,
    size: rows.size,
    ids: () => [...rows].flatMap(([key, row]) => (isLong(row) ? [] : [splitKey(key)])),
    seen: () =>
      [...rows].map(([key, { input, output, input_cached }]) => {
        const { provider, id } = splitKey(key)
        return { provider, model: id, prices: { input, output, input_cached } }
      }),
    changesOf: (provider, id) => versionsOf(provider, id).map(({ from }) => from),
    termOf(provider, id, at) {
      const versions = versionsOf(provider, id)
      const first = versions.find(({ from }) => from > at)
      const isKnown = findVersion(versions, at) !== undefined
      if (!isKnown) return { knownFrom: first && toDay(first.from), confirmedUntil: day }
      return { knownFrom: undefined, confirmedUntil: first ? toDay(first.from) : day }
    },
    find(provider, id, at) {
      const row = listedAt(provider, id, at)
      // A long-context row is a tier of its model, not a model.
      if (!row || isLong(row)) return undefined
      const tiers = (long.get(keyOf(provider, id)) ?? []).flatMap(({ above, id: longId }) => {
        const longRow = listedAt(provider, longId, at)
        const rates = longRow && correct(longRow, ratesOf(longRow), at)
        return rates ? [{ above, rates }] : []
      })
      const base = correct(row, ratesOf(row), at)
      const isLater = findVersion(versionsOf(provider, id), at) === undefined || undefined
      return base && { model: id, source: "llm-prices.com", date: dateOf(provider, id, at), base, isLater, tiers }
    },
  }
}

/**
 * Finds the long-context rows of each model. The row `gpt-5.4-272k`, named "GPT-5.4 >272k", has the prices of gpt-5.4 for
 * prompts over 272,000 tokens.
 */
function longRows(rows: ReadonlyMap<string, ListedPrice>) {
  const long = new Map<string, { readonly above: number; readonly id: string }[]>()
  for (const [longKey, row] of rows) {
    const [, id, thousands] = LONG.exec(row.id) ?? []
    const key = keyOf(splitKey(longKey).provider, id ?? "")
    if (!isLong(row) || id === undefined || !rows.has(key)) continue
    const tier = { above: Number(thousands) * 1000, id: row.id }
    long.set(
      key,
      [...(long.get(key) ?? []), tier].sort((a, b) => a.above - b.above),
    )
  }
  return long
}

function isLong(row: ListedPrice): boolean {
  return LONG.test(row.id) && row.name.includes(">")
}

function ratesOf(row: ListedPrice): Rates {
  return {
    input: plain(row.input),
    output: plain(row.output),
    ...(row.input_cached !== null && { cacheRead: plain(row.input_cached) }),
  }
}

function splitKey(key: string): { readonly provider: string; readonly id: string } {
  const slash = key.indexOf("/")
  return { provider: key.slice(0, slash), id: key.slice(slash + 1) }
}

function plain(value: number): string {
  return formatDecimal(fromNumber(value))
}

function toDay(at: number): string {
  return new Date(Math.max(at, 0)).toISOString().slice(0, 10)
}
