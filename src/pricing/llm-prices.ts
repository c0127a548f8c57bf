import type { Rates } from "../core/cost.ts"
import { formatDecimal, fromNumber } from "../core/decimal.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { correct } from "./corrections.ts"
import { VENDORS } from "./identify.ts"
import type { ListedPrice } from "./listed-price.ts"
import type { Row } from "./row.ts"

/** The list of llm-prices.com, prepared for lookups. */
export interface LlmPrices {
  /** The day of the list, `YYYY-MM-DD`. */
  readonly day: string
  readonly size: number
  /** Finds the row of a model by the catalog's provider and the list's own id, corrected for the time `at`. */
  find(provider: string, id: string, at: number): Row | undefined
  /** Returns all models of the list by the catalog's provider. Long-context rows are not models. */
  ids(): readonly { readonly provider: string; readonly id: string }[]
}

/** A body with fewer usable rows than this is an error page or a broken list. */
const MIN_ROWS = 20
const MAX_RATE = 100_000
const LONG = /^(.+)-(\d+)k$/

/**
 * Parses `{ updated_at, prices: [{ id, vendor, name, input, output, input_cached }] }`.
 * @throws Error that says what is wrong with the list
 */
export function parseLlmPrices(body: unknown): LlmPrices {
  if (!isRecord(body) || !Array.isArray(body["prices"])) throw new Error("expected an object with a list `prices`")
  const day = body["updated_at"]
  if (typeof day !== "string" || !/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(Date.parse(day))) {
    throw new Error("expected a day in `updated_at`")
  }
  const rows = new Map<string, ListedPrice>()
  for (const each of body["prices"] as readonly unknown[]) {
    const row = toListed(each)
    if (row) rows.set(keyOf(VENDORS[row.vendor] ?? row.vendor, row.id), row)
  }
  if (rows.size < MIN_ROWS) throw new Error(`expected at least ${MIN_ROWS} usable prices, got ${rows.size}`)
  const long = longRows(rows)

  return {
    day,
    size: rows.size,
    ids: () =>
      [...rows.values()].flatMap((row) =>
        isLong(row) ? [] : [{ provider: VENDORS[row.vendor] ?? row.vendor, id: row.id }],
      ),
    find(provider, id, at) {
      const key = keyOf(provider, id)
      const row = rows.get(key)
      // A long-context row is a tier of its model, not a model.
      if (!row || isLong(row)) return undefined
      const tiers = (long.get(key) ?? []).flatMap(({ above, row: longRow }) => {
        const rates = correct(longRow, ratesOf(longRow), at)
        return rates ? [{ above, rates }] : []
      })
      const base = correct(row, ratesOf(row), at)
      return base && { model: row.id, source: "llm-prices.com", date: day, base, tiers }
    },
  }
}

/**
 * Finds the long-context rows of each model. The row `gpt-5.4-272k`, named "GPT-5.4 >272k", has the prices of gpt-5.4 for
 * prompts over 272,000 tokens.
 */
function longRows(rows: ReadonlyMap<string, ListedPrice>) {
  const long = new Map<string, { readonly above: number; readonly row: ListedPrice }[]>()
  for (const row of rows.values()) {
    const [, id, thousands] = LONG.exec(row.id) ?? []
    const key = keyOf(VENDORS[row.vendor] ?? row.vendor, id ?? "")
    if (!isLong(row) || id === undefined || !rows.has(key)) continue
    long.set(
      key,
      [...(long.get(key) ?? []), { above: Number(thousands) * 1000, row }].sort((a, b) => a.above - b.above),
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

function toListed(value: unknown): ListedPrice | undefined {
  if (!isRecord(value)) return undefined
  const { id, vendor, name, input, output, input_cached: cached = null } = value
  if (typeof id !== "string" || id === "" || typeof vendor !== "string") return undefined
  if (!isRate(input) || !isRate(output) || (cached !== null && !isRate(cached))) return undefined
  return {
    id: id.toLowerCase(),
    vendor: vendor.toLowerCase(),
    name: String(name ?? ""),
    input,
    output,
    input_cached: cached,
  }
}

function isRate(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= MAX_RATE
}

function keyOf(provider: string, id: string): string {
  return `${provider}/${id}`
}

function plain(value: number): string {
  return formatDecimal(fromNumber(value))
}
