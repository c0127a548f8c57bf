import type { PriceOverride } from "../../core/price-override.ts"
import { toRateLabel } from "../../core/rates.ts"
import { explainInvisible } from "../../core/text.ts"
import { recordChange } from "../../database/access/audit.ts"
import { putPriceOverride } from "../../database/price-overrides.ts"
import type { Context } from "../context.ts"
import { InputError } from "../input-error.ts"
import { type Override, toOverride } from "./override.ts"

type SetContext = Context<"database" | "prices" | "settings" | "actor" | "now" | "log">

/**
 * Sets the price of a model for all gateways of the database. It replaces the one that was set for the same day. New requests
 * are priced with it within seconds; stored ones when they are priced again. Says so if the settings have another price, or
 * if the price is far from the known one.
 *
 * @throws InputError if no such provider is known, or nobody can read the name of the model
 */
export async function setPrice(context: SetContext, override: PriceOverride): Promise<Override> {
  const { database, prices, actor, log } = context
  const { model, provider } = override
  const problem = explainInvisible(model)
  if (problem !== undefined) throw new InputError("model", `the name ${problem}`)
  checkProvider(context, provider)
  const set = await database.transaction(async (query) => {
    const { before, after } = await putPriceOverride(query, { ...override, setBy: actor.name })
    const [was, is] = [before && toOverride(before), toOverride(after)]
    await recordChange(query, actor, { action: "pricing.set", target: toName(override), before: was, after: is })
    return is
  })
  await prices.reloadOverrides()
  for (const line of prices.farPrices(provider === null ? model : `${provider}/${model}`)) log(`note: ${line}`)
  noteOthers(context, override)
  return set
}

/** A price at a provider that does not exist would never be used. */
function checkProvider({ prices, settings }: SetContext, provider: string | null): void {
  if (provider === null) return
  const known = new Set([...Object.keys(settings.providers), ...prices.models().map((model) => model.provider)])
  if ([...known].some((name) => name.toLowerCase() === provider)) return
  throw new InputError("provider", `expected a configured provider, got ${JSON.stringify(provider)}`)
}

/** Says which of the rates are not used, because the settings or a price of a later day have others. */
function noteOthers({ prices, now, log }: SetContext, { model, provider, price }: PriceOverride): void {
  const at = Math.max(now(), price.from === undefined ? 0 : Date.parse(price.from))
  const notes = prices.explain(provider ?? undefined, model, at).flatMap(({ entry: { base, sources } }) =>
    (Object.keys(price.base) as (keyof typeof base)[]).flatMap((rate) => {
      const { source = "", date } = sources[rate] ?? {}
      if (base[rate] === price.base[rate] && source === "stored_overrides") return []
      return `note: ${toRateLabel(rate)} is ${base[rate]}, because ${source}${date ? ` of ${date}` : ""} comes first`
    }),
  )
  for (const note of new Set(notes)) log(note)
}

/** Returns the name of a price in the audit log. */
export function toName({ model, provider }: Pick<PriceOverride, "model" | "provider">): string {
  return provider === null ? model : `${model} at ${provider}`
}
