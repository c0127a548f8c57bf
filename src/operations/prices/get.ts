import type { RateName } from "../../core/cost.ts"
import { NotFoundError } from "../../core/errors.ts"
import { toRateLabel } from "../../core/rates.ts"
import type { PriceExplanation } from "../../pricing/price-list.ts"
import type { Context } from "../context.ts"
import { listBilledProviders } from "./billed-providers.ts"
import { toPriceObject } from "./rates.ts"

interface PriceInput {
  /** The model as a request or an answer names it. */
  readonly model: string
  readonly provider?: string | undefined
}

/**
 * Returns what a model costs and who says so: at the given provider, else at the configured providers, else at every
 * provider that has a price for it.
 *
 * @throws NotFoundError if the model has no price
 */
export function getPrices(
  { prices, settings }: Context<"prices" | "settings">,
  { model, provider }: PriceInput,
): readonly PriceExplanation[] {
  if (provider !== undefined) return orThrow(prices.explain(provider, model), { model, provider })
  const configured = listBilledProviders(settings).flatMap((name) => prices.explain(name, model))
  const found = configured.length > 0 ? configured : prices.explain(undefined, model)
  // Resellers have the prices of the model's maker, so the maker's entry is enough.
  const direct = found.filter(({ isResold }) => !isResold)
  return orThrow(direct.length > 0 ? direct : found, { model, provider })
}

function orThrow(found: readonly PriceExplanation[], { model, provider }: PriceInput): readonly PriceExplanation[] {
  if (found.length > 0) return found
  const where = provider === undefined ? "" : ` at ${provider}`
  const advice = "set one with majordomo-gateway pricing set, or see majordomo-gateway pricing list"
  throw new NotFoundError(`no price for "${model}"${where}: its requests are unpriced; ${advice}`)
}

/** Returns the JSON form of an explained price. */
export function toPriceExplanationObject({
  provider,
  asked,
  how,
  entry,
  unsure,
  disagreements,
  setAside,
}: PriceExplanation) {
  const doubts = (Object.entries(unsure) as [RateName, string][]).filter(
    ([name]) => entry.sources[name]?.source !== "derived",
  )
  return {
    asked,
    matched: how,
    ...toPriceObject(provider, entry),
    unsure: Object.fromEntries(doubts.map(([name, why]) => [toRateLabel(name), why])),
    disagreements: disagreements.map(({ rate, taken, from, other, otherFrom }) => ({
      rate: toRateLabel(rate),
      taken,
      from,
      other,
      other_from: otherFrom,
    })),
    not_used: setAside.map(({ row, reason }) => ({ source: row.source, reason })),
  }
}
