import { type Cost, FREE_BY_RULE, type PriceCertificate, type PriceQuery } from "../core/cost.ts"
import { formatDecimal, parseDecimal } from "../core/decimal.ts"
import { NO_READING, type Reading } from "../core/usage.ts"
import type { Database } from "../database/_database.ts"
import {
  applyRepricings,
  type RepriceableRow,
  type RepriceFilter,
  type Repricing,
  readRepriceable,
} from "../database/repricings.ts"
import { findStoredDialect, readStoredAnswer } from "../providers/stored.ts"
import { readingOfColumns } from "./reread-columns.ts"

/** Rows per transaction: their sums are locked for some ten milliseconds. */
const CHUNK = 500
/** NUMERIC(20,12) holds eight digits before the point. */
const TOO_MUCH = parseDecimal("100000000")

export interface RepriceOptions {
  readonly database: Database
  price(question: PriceQuery): Cost
  /** The API that a configured provider speaks; undefined: no such provider any more. */
  formatOf(provider: string): string | undefined
  readonly filter: RepriceFilter
  readonly dryRun: boolean
  onProgress(done: { readonly looked: number; readonly changed: number }): void
}

/** What became of the rows of one model. Money in USD as plain decimals. */
export interface RepricedModel {
  readonly provider: string
  readonly model: string
  readonly looked: number
  readonly changed: number
  /** Of the changed rows, before and after; a cost that is not known adds nothing. */
  readonly before: string
  readonly after: string
  readonly unpriced_before: number
  readonly unpriced_after: number
  /** Why rows are unpriced still; null: none is. */
  readonly reason: string | null
}

/**
 * Prices stored requests again, from their stored usage and at the prices of their time, and keeps the old numbers. A
 * row whose cost and status come out as they are is not touched, so a second run changes nothing.
 */
export async function repriceRequests(options: RepriceOptions): Promise<readonly RepricedModel[]> {
  const { database, filter, dryRun, onProgress } = options
  const tally = createTally()
  let after: RepriceableRow | undefined
  let looked = 0
  let changed = 0
  for (;;) {
    const rows = await readRepriceable(database, filter, { after, limit: CHUNK })
    if (rows.length === 0) return tally.models()
    const repricings = rows.flatMap((row) => {
      const cost = priceAgain(row, options)
      const repricing = toRepricing(row, cost)
      tally.add(row, cost, repricing !== undefined)
      return repricing ?? []
    })
    if (repricings.length > 0) changed += dryRun ? repricings.length : await applyRepricings(database, repricings)
    looked += rows.length
    after = rows.at(-1)
    onProgress({ looked, changed })
  }
}

function priceAgain(row: RepriceableRow, { price, formatOf }: RepriceOptions): Cost {
  const { request_method: method, request_path: path, usage } = row
  const dialect = findStoredDialect(formatOf(row.provider), path)
  const model = row.model || undefined
  const read = readStoredAnswer(dialect, { method, path, model, usage })
  const columns = read === undefined ? readingOfColumns(row) : undefined
  const isFree = (row.price as PriceCertificate | null)?.reason === FREE_BY_RULE
  const reading: Reading = { ...(read ?? columns ?? { ...NO_READING, model }), free: isFree }
  const source = read === undefined ? reading.source : row.usage_source
  const cost = price({
    provider: row.provider,
    requestedModel: row.requested_model ?? undefined,
    reading: { ...reading, source },
    at: row.requested_at.getTime(),
    failed: row.status_code >= 400,
  })
  return columns !== undefined && cost.status === "exact" ? { ...cost, ...withDoubt(cost) } : cost
}

const COLUMNS_ONLY = "priced from the token columns alone: the row has no usage of the provider's own"

function withDoubt({ price }: Cost): Pick<Cost, "status" | "price"> {
  return { status: "estimated", price: { lines: [], ...price, reason: COLUMNS_ONLY } }
}

/** undefined: the row is right as it is, or the new cost is none that a row can hold. */
function toRepricing(row: RepriceableRow, cost: Cost): Repricing | undefined {
  const isSame =
    row.cost_status === cost.status &&
    plain(row.input_cost) === plain(cost.inputCost) &&
    plain(row.output_cost) === plain(cost.outputCost) &&
    plain(row.total_cost) === plain(cost.totalCost)
  if (isSame || parseDecimal(cost.totalCost ?? "0") >= TOO_MUCH) return undefined
  // The price that a row once had is not taken from it because it is not known any more.
  if (cost.status === "unpriced") return undefined
  return {
    id: row.id,
    old_cost_status: row.cost_status,
    old_total_cost: row.total_cost,
    input_cost: cost.inputCost,
    output_cost: cost.outputCost,
    total_cost: cost.totalCost,
    cost_status: cost.status,
    price: cost.price,
    reason: reasonOf(row, cost),
  }
}

function reasonOf(row: RepriceableRow, cost: Cost): string {
  if (row.cost_status === "unpriced") return "the price was not known"
  return plain(row.total_cost) === plain(cost.totalCost) ? "how sure the cost is has changed" : "the price was another"
}

function plain(money: string | null | undefined): string | undefined {
  return money === null || money === undefined ? undefined : formatDecimal(parseDecimal(money))
}

function createTally() {
  type Sum = { -readonly [K in keyof RepricedModel]: RepricedModel[K] }
  const sums = new Map<string, Sum>()
  return {
    add(row: RepriceableRow, cost: Cost, isChanged: boolean): void {
      const { provider, model } = row
      const key = `${provider}\n${model}`
      const sum = sums.get(key) ?? { provider, model, ...NOTHING }
      sums.set(key, sum)
      sum.looked++
      if (row.cost_status === "unpriced") sum.unpriced_before++
      if (cost.status === "unpriced" && row.cost_status === "unpriced") {
        sum.unpriced_after++
        sum.reason ??= cost.price?.reason ?? null
      }
      if (!isChanged) return
      sum.changed++
      sum.before = added(sum.before, row.total_cost)
      sum.after = added(sum.after, cost.totalCost)
    },
    models: (): readonly RepricedModel[] => [...sums.values()].sort((a, b) => b.changed - a.changed),
  }
}

const NOTHING = { looked: 0, changed: 0, before: "0", after: "0", unpriced_before: 0, unpriced_after: 0, reason: null }

function added(sum: string, money: string | null | undefined): string {
  return formatDecimal(parseDecimal(sum) + parseDecimal(money ?? "0"))
}
