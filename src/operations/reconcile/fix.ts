import { NotFoundError } from "../../core/errors.ts"
import { parseOwnPrices } from "../../core/own-prices.ts"
import type { PriceOverride } from "../../core/price-override.ts"
import { type Cause, findOwnRate } from "../../core/reconciliation.ts"
import { readPriceOverrides } from "../../database/price-overrides.ts"
import { type Days, listReconciliations } from "../../database/reconciliations.ts"
import type { PriceBook } from "../../pricing/price-book.ts"
import type { Context } from "../context.ts"
import { openPrices } from "../open/prices.ts"
import { setPrice } from "../prices/set.ts"
import { repriceRequests } from "../reprice/reprice.ts"
import type { RepricedModel } from "../reprice/summary.ts"

type FixContext = Context<"database" | "prices" | "settings" | "actor" | "now" | "log">

interface FixInput {
  readonly provider: string
  /** As the bill names it. */
  readonly model: string
  readonly days: Days
  /** Returns what would change, and changes nothing. */
  readonly dryRun: boolean
}

/** A price that the bill implies. */
interface FixedPrice {
  readonly model: string
  readonly provider: string
  /** The first UTC day on which it was billed. */
  readonly from: string
  /** USD per million tokens by the name of the rate; those that were set before stay. */
  readonly rates: Readonly<Record<string, string>>
}

interface FixResult {
  readonly dry_run: boolean
  readonly prices: readonly FixedPrice[]
  /** What the requests since the first of these days cost before and after. */
  readonly models: readonly RepricedModel[]
}

/**
 * Sets the prices that the stored comparisons say the provider has billed for a model, and prices its requests again since the
 * first day of the difference.
 *
 * @throws NotFoundError if the stored comparisons have no difference of the model's price that a rate can explain
 */
export async function fixPrice(context: FixContext, { provider, model, days, dryRun }: FixInput): Promise<FixResult> {
  const { database, settings, prices, log } = context
  const stored = await listReconciliations(database.query, { provider, ...days })
  const causes = stored.flatMap((day) => day.causes).filter((each) => each.model?.toLowerCase() === model.toLowerCase())
  const fixed = await findPrices(context, { provider, model, causes })
  if (fixed.length === 0) throw new NotFoundError(explainNothing({ provider, model }, causes))
  const overrides = fixed.map(toOverride)
  const reprice = (book: PriceBook) => {
    const filter = { since: Date.parse(fixed[0]!.from), until: undefined, model, provider, unpricedOnly: false }
    const findFormat = (name: string) => settings.providers[name]?.format
    return repriceRequests({ ...context, prices: book, findFormat, onProgress: () => {} }, { filter, dryRun })
  }
  if (!dryRun) {
    for (const override of overrides) await setPrice(context, override)
    return { dry_run: false, prices: fixed, models: await reprice(prices) }
  }
  const preview = await openPrices({ settings, database, log, moreOverrides: overrides })
  try {
    return { dry_run: true, prices: fixed, models: await reprice(preview) }
  } finally {
    await preview.close()
  }
}

/** Returns the prices in the order of their days. Each has the rates of the one before, because it replaces that one. */
async function findPrices(
  { database }: FixContext,
  { provider, model, causes }: { readonly provider: string; readonly model: string; readonly causes: readonly Cause[] },
): Promise<readonly FixedPrice[]> {
  const name = { model: model.toLowerCase(), provider: provider.toLowerCase() }
  const set = (await readPriceOverrides(database.query)).filter(
    (each) => each.model === name.model && (each.provider ?? name.provider) === name.provider,
  )
  const byDay = new Map<string, Record<string, string>>()
  let known: Readonly<Record<string, string>> = {}
  for (const each of causes.toSorted(byFirstDay)) {
    const rate = each.cause === "price" ? findOwnRate(each) : undefined
    if (rate === undefined) continue
    const from = each.days[0]!
    const before = set.findLast((own) => own.from === null || own.from <= from)?.rates
    known = { ...before, ...known, [rate]: each.rate!.billed }
    byDay.set(from, known)
  }
  // A day with the rates of the day before needs no price of its own.
  const prices = [...byDay].map(([from, rates]) => ({ ...name, from, rates }))
  return prices.filter(({ rates }, index) => JSON.stringify(rates) !== JSON.stringify(prices[index - 1]?.rates))
}

function byFirstDay(one: Cause, other: Cause): number {
  return one.days[0]!.localeCompare(other.days[0]!)
}

function toOverride({ model, provider, from, rates }: FixedPrice): PriceOverride {
  return { model, provider, price: parseOwnPrices("", { ...rates, from })[0]! }
}

function explainNothing({ provider, model }: Pick<FixInput, "provider" | "model">, causes: readonly Cause[]): string {
  const isPrice = causes.some(({ cause }) => cause === "price")
  const why = isPrice
    ? `the difference of the price of ${model} is in a tier or a fee, for which no rate can be set`
    : `the stored comparisons say of no difference in the price of ${model} at ${provider}`
  return `${why}: see majordomo-gateway reconcile --provider ${provider}, or set a price with majordomo-gateway pricing set`
}
