import { isRecord } from "../kit/json/is-record.ts"
import { VENDORS } from "./identify.ts"
import type { ListedPrice, ListedRates } from "./listed-price.ts"
import type { PriceVersion } from "./price-history.ts"

/** A list of llm-prices.com as it was fetched. Rows are keyed by the catalog's provider and the list's own id. */
interface Listing {
  readonly day: string
  /** The row of each model that applies now. */
  readonly rows: ReadonlyMap<string, ListedPrice>
  /** The prices of each model whose rows have dates. */
  readonly periods: ReadonlyMap<string, readonly PriceVersion[]>
}

/** A body with fewer usable rows than this is an error page or a broken list. */
const MIN_ROWS = 20
const MAX_RATE = 100_000

/** Returns the key of a model in a listing. */
export function keyOf(provider: string, id: string): string {
  return `${provider}/${id}`
}

/** @throws Error that says what is wrong with the list */
export function parseListing(body: unknown, fetchedAt: number): Listing {
  if (!isRecord(body) || !Array.isArray(body["prices"])) throw new Error("expected an object with a list `prices`")
  const listed = body["prices"] as readonly unknown[]
  const isHistory = listed.some((each) => isRecord(each) && "from_date" in each)
  const day = body["updated_at"] ?? (isHistory ? new Date(fetchedAt).toISOString().slice(0, 10) : undefined)
  if (typeof day !== "string" || !isDay(day)) throw new Error("expected a day in `updated_at`")

  const byKey = new Map<string, Dated[]>()
  for (const dated of listed.flatMap((each) => toDated(each) ?? [])) {
    const key = keyOf(VENDORS[dated.row.vendor] ?? dated.row.vendor, dated.row.id)
    byKey.set(key, [...(byKey.get(key) ?? []), dated])
  }
  const rows = new Map<string, ListedPrice>()
  const periods = new Map<string, readonly PriceVersion[]>()
  for (const [key, found] of byKey) {
    const ascending = found.sort((a, b) => timeOf(a.from) - timeOf(b.from))
    const last = ascending.at(-1)!
    if (last.until === undefined) rows.set(key, last.row)
    if (ascending.some(({ from, until }) => from !== undefined || until !== undefined)) {
      periods.set(key, toVersions(ascending))
    }
  }
  if (rows.size < MIN_ROWS) throw new Error(`expected at least ${MIN_ROWS} usable prices, got ${rows.size}`)
  return { day, rows, periods }
}

/** A row with the days on which it applies: `from` is the first of them, `until` the first day after them. */
interface Dated {
  readonly row: ListedPrice
  readonly from: string | undefined
  readonly until: string | undefined
}

function toVersions(ascending: readonly Dated[]): readonly PriceVersion[] {
  return ascending.flatMap(({ row, from, until }, index) => {
    const { input, output, input_cached } = row
    const next = ascending[index + 1]
    const version = { from: timeOf(from), prices: { input, output, input_cached } }
    const hasGap = until !== undefined && (next === undefined || timeOf(next.from) > timeOf(until))
    return hasGap ? [version, { from: timeOf(until), prices: null }] : [version]
  })
}

/** A row without a first day applied always. */
function timeOf(day: string | undefined): number {
  return day === undefined ? 0 : Date.parse(day)
}

function toDated(value: unknown): Dated | undefined {
  if (!isRecord(value)) return undefined
  const { id, vendor, name, from_date: from = null, to_date: until = null } = value
  const rates = parseListedRates(value)
  if (typeof id !== "string" || id === "" || typeof vendor !== "string" || rates === undefined) return undefined
  if ((from !== null && !isDay(from)) || (until !== null && !isDay(until))) return undefined
  const row = { id: id.toLowerCase(), vendor: vendor.toLowerCase(), name: String(name ?? ""), ...rates }
  return { row, from: from ?? undefined, until: until ?? undefined }
}

/** Returns the rates of a row; undefined if they are not prices. */
export function parseListedRates(value: unknown): ListedRates | undefined {
  if (!isRecord(value)) return undefined
  const { input, output, input_cached: cached = null } = value
  if (!isRate(input) || !isRate(output) || (cached !== null && !isRate(cached))) return undefined
  return { input, output, input_cached: cached }
}

function isRate(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= MAX_RATE
}

function isDay(value: unknown): value is string {
  return typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))
}
