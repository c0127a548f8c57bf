import {
  type Cost,
  FREE_BY_RULE,
  KEY_DISCOUNT,
  PRICE_THEN_UNKNOWN,
  type PriceCertificate,
  UNANSWERED,
} from "../../core/cost.ts"
import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import { toDiscountFactor } from "../../core/own-prices.ts"
import { NO_READING, type Reading } from "../../core/usage.ts"
import type { RunQuery } from "../../database/_database.ts"
import { recordChange } from "../../database/access/audit.ts"
import {
  applyRepricings,
  type RepriceableRow,
  type RepriceFilter,
  type Repricing,
  readRepriceable,
} from "../../database/repricings.ts"
import type { Context } from "../context.ts"
import { readColumns } from "./columns.ts"
import { type FindFormat, isStillFree, readStoredUsage } from "./reading.ts"
import { createSummary, type RepricedModel } from "./summary.ts"

/** Rows per transaction. The transaction locks their rollups for about 10 ms. */
const CHUNK = 500
/** NUMERIC(20,12) has eight digits before the point. */
const MAX_COST_USD = parseDecimal("100000000")
const COLUMNS_ONLY = "priced from the token columns alone: the row has no usage of the provider's own"

export type RepriceContext = Context<"database" | "actor"> & {
  readonly prices: Pick<Context<"prices">["prices"], "price" | "sourcesOfLater" | "reloadOverrides">
  readonly findFormat: FindFormat
  onProgress(done: { readonly looked: number; readonly changed: number }): void
}

const LOG_EVERY_MS = 1000

/** Returns a function that says once a second how far a repricing is. */
export function createRepriceLog({ log, now }: Context<"log" | "now">, dryRun: boolean): RepriceContext["onProgress"] {
  let loggedAt = now()
  return (done) => {
    if (now() - loggedAt < LOG_EVERY_MS) return
    loggedAt = now()
    log(describeRepriced(done, dryRun))
  }
}

/** Returns a sentence such as `1,000 requests looked at, 20 would change`. */
export function describeRepriced(
  { looked, changed }: { readonly looked: number; readonly changed: number },
  dryRun: boolean,
): string {
  const [lookedText, changedText] = [looked, changed].map((count) => count.toLocaleString("en-US"))
  const noun = looked === 1 ? "request" : "requests"
  return `${lookedText} ${noun} looked at, ${changedText} ${dryRun ? "would change" : "changed"}`
}

interface RepriceInput {
  readonly filter: RepriceFilter
  /** Computes what would change, and changes nothing. */
  readonly dryRun: boolean
}

/**
 * Prices stored requests again, from their stored usage and at the prices of their time, and stores the old numbers. A
 * row whose cost and status come out the same is not changed, so a second run changes nothing.
 */
export async function repriceRequests(
  context: RepriceContext,
  { filter, dryRun }: RepriceInput,
): Promise<readonly RepricedModel[]> {
  const { database, prices, actor, onProgress } = context
  // A price that was set a moment ago counts, also if another gateway set it.
  await prices.reloadOverrides()
  const record = (query: RunQuery) =>
    recordChange(query, actor, { action: "pricing.reprice", target: null, after: { ...filter } })
  const summary = createSummary()
  let after: RepriceableRow | undefined
  let looked = 0
  let changed = 0
  for (;;) {
    const rows = await readRepriceable(database, filter, { after, limit: CHUNK })
    if (rows.length === 0) return summary.models()
    const priced = rows.map((row) => {
      const repriced = computeCost(row, context)
      return { row, cost: repriced.cost, repricing: toRepricing(row, repriced) }
    })
    const repricings = priced.flatMap(({ repricing }) => repricing ?? [])
    const changedIds =
      dryRun || repricings.length === 0
        ? new Set(repricings.map(({ id }) => id))
        : await applyRepricings(database, repricings, changed === 0 ? record : undefined)
    for (const { row, cost } of priced) summary.add(row, cost, changedIds.has(row.id))
    changed += changedIds.size
    looked += rows.length
    after = rows.at(-1)
    onProgress({ looked, changed })
  }
}

interface Repriced {
  readonly cost: Cost
  /** The sources whose prices are from after the request, because they have no earlier ones. */
  readonly sourcesOfLater: readonly string[]
}

function computeCost(row: RepriceableRow, { prices, findFormat }: RepriceContext): Repriced {
  const { question, isFromColumns } = toPriceQuery(row, findFormat)
  const cost = prices.price(question)
  const isEstimate = isFromColumns && cost.status === "exact"
  return {
    cost: isEstimate ? { ...cost, ...toEstimate(cost) } : cost,
    sourcesOfLater: row.cost_status === "exact" ? prices.sourcesOfLater(question) : [],
  }
}

/** Returns what to ask the price book about a stored request, and whether only its token columns say what it used. */
export function toPriceQuery(row: RepriceableRow, findFormat: FindFormat) {
  const stored = row.source !== null ? undefined : readStoredUsage(row, findFormat)
  const columns = stored === undefined ? withReportedSpeed(row, readColumns(row)) : undefined
  const certificate = row.price as PriceCertificate | null
  const reason = certificate?.reason
  const none = { ...NO_READING, model: row.model || undefined }
  const isFree = reason === FREE_BY_RULE && isStillFree(row, stored ?? columns, findFormat)
  const reading: Reading = { ...(stored ?? columns ?? none), free: isFree }
  const question = {
    provider: row.provider,
    requestedModel: row.requested_model ?? undefined,
    reading: { ...reading, source: stored === undefined ? reading.source : row.usage_source },
    at: row.requested_at.getTime(),
    keyDiscountFactor: findKeyDiscount(row, certificate),
    failed: row.status_code >= 400,
    isUnanswered: reason === UNANSWERED,
  }
  return { question, isFromColumns: columns !== undefined }
}

/** A client's report of a request names its speed, on which the price depends. */
function withReportedSpeed({ source, usage }: RepriceableRow, columns: Reading | undefined): Reading | undefined {
  if (source !== "telemetry" || columns === undefined) return columns
  return (usage as { readonly speed?: unknown } | null)?.speed === "fast" ? { ...columns, speed: "fast" } : columns
}

/**
 * Returns the key's discount at the time of the request. A price that was computed before says which one it was. For a
 * row without a price, it is the discount that the key has now.
 */
function findKeyDiscount({ key_discount_percent: now }: RepriceableRow, price: PriceCertificate | null) {
  if (price !== null && price.lines.length > 0) return price.factors?.find(({ name }) => name === KEY_DISCOUNT)?.value
  return now === null ? undefined : toDiscountFactor(now)
}

function toEstimate({ price }: Cost): Pick<Cost, "status" | "price"> {
  return { status: "estimated", price: { lines: [], ...price, reason: COLUMNS_ONLY } }
}

/** Returns the change of a row; undefined if the row is right as it is, or a row cannot hold the new cost. */
function toRepricing(row: RepriceableRow, { cost, sourcesOfLater }: Repriced): Repricing | undefined {
  const isSame =
    row.cost_status === cost.status &&
    normalize(row.input_cost) === normalize(cost.inputCost) &&
    normalize(row.output_cost) === normalize(cost.outputCost) &&
    normalize(row.total_cost) === normalize(cost.totalCost)
  if (isSame || parseDecimal(cost.totalCost ?? "0") >= MAX_COST_USD) return undefined
  // A cost that another product has recorded is better than one by tokens alone; `import --reprice` is for whoever wants that one.
  if (row.source === "import" && (row.price as PriceCertificate | null)?.reported !== undefined) return undefined
  if (row.source === "import" && row.cost_status === "free") return undefined
  // A row keeps the price that it has if the price is no longer known.
  if (cost.status === "unpriced") return undefined
  if (row.cost_status === "exact" && isOfAnotherTime(cost, sourcesOfLater)) return undefined
  return {
    id: row.id,
    old_cost_status: row.cost_status,
    old_total_cost: row.total_cost,
    input_cost: cost.inputCost,
    output_cost: cost.outputCost,
    total_cost: cost.totalCost,
    cost_status: cost.status,
    price: cost.price,
    reason: toReason(row, cost),
  }
}

/** Returns whether a cost was computed with rates of which no source says that they applied at the time of the request. */
function isOfAnotherTime({ price }: Cost, sourcesOfLater: readonly string[]): boolean {
  const isLater = price?.lines.some(({ source }) => sourcesOfLater.includes(source)) ?? false
  return isLater || (price?.reason?.includes(PRICE_THEN_UNKNOWN) ?? false)
}

function toReason(row: RepriceableRow, cost: Cost): string {
  if (row.cost_status === "unpriced") return "the price was not known"
  const isSameTotal = normalize(row.total_cost) === normalize(cost.totalCost)
  return isSameTotal ? "the confidence in the cost has changed" : "the price was different"
}

function normalize(money: string | null | undefined): string | undefined {
  return money === null || money === undefined ? undefined : formatDecimal(parseDecimal(money))
}
