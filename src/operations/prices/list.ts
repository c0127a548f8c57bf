import { CommandError } from "../../core/errors.ts"
import type { PricedModel } from "../../pricing/price-list.ts"
import type { Context } from "../context.ts"

/**
 * Lists every model that has a price, or those of one provider.
 *
 * @throws CommandError if the provider has no prices
 */
export function listPrices(
  { prices }: Context<"prices">,
  { provider }: { readonly provider?: string | undefined },
): readonly PricedModel[] {
  const models = prices.models(provider)
  if (provider === undefined || models.length > 0) return models
  const known = [...new Set(prices.models().map((model) => model.provider))].filter((name) => name !== "")
  throw new CommandError(`no prices for a provider "${provider}"; there are ${known.join(", ")}`)
}
