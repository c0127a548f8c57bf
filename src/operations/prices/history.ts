import type { RateName, Rates } from "../../core/cost.ts"
import { NotFoundError } from "../../core/errors.ts"
import { toRateLabel } from "../../core/rates.ts"
import type { PriceChange } from "../../pricing/price-changes.ts"
import type { Context } from "../context.ts"
import { listBilledProviders } from "./billed-providers.ts"

interface HistoryInput {
  /** The model as a request or an answer names it. */
  readonly model: string
  readonly provider?: string | undefined
}

/** The prices of a model in one source from a time on. */
export interface PriceChangeObject {
  readonly provider: string
  readonly model: string
  readonly source: string
  /** ISO 8601; null for the first prices that are known. */
  readonly since: string | null
  /** False if the source no longer lists the model. */
  readonly listed: boolean
  /** USD per million tokens, or per piece for fees, by rate. */
  readonly rates: Readonly<Record<string, string>>
  /** The rates of requests with more input than `above_tokens`. */
  readonly long_context: readonly { readonly above_tokens: number; readonly rates: Readonly<Record<string, string>> }[]
}

/**
 * Returns how the prices of a model changed in each source: at the given provider, else at the configured providers,
 * else at every provider that lists it.
 *
 * @throws NotFoundError if no source lists the model
 */
export function getPriceHistory(
  { prices, settings }: Context<"prices" | "settings">,
  { model, provider }: HistoryInput,
): readonly PriceChangeObject[] {
  const asked = provider === undefined ? listBilledProviders(settings) : [provider]
  const found = asked.flatMap((name) => prices.changes(name, model))
  const changes = found.length > 0 || provider !== undefined ? found : prices.changes(undefined, model)
  if (changes.length > 0) return changes.map(toObject)
  const where = provider === undefined ? "" : ` at ${provider}`
  throw new NotFoundError(`no price list has "${model}"${where}; see majordomo-gateway pricing list`)
}

function toObject({ provider, model, source, since, row }: PriceChange): PriceChangeObject {
  return {
    provider,
    model,
    source,
    since: since === undefined ? null : new Date(since).toISOString(),
    listed: row !== undefined,
    rates: toLabels(row?.base ?? {}),
    long_context: (row?.tiers ?? []).map(({ above, rates }) => ({ above_tokens: above, rates: toLabels(rates) })),
  }
}

function toLabels(rates: Rates): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (Object.entries(rates) as [RateName, string][]).map(([name, usd]) => [toRateLabel(name), usd]),
  )
}
