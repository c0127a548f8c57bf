import { createHash } from "node:crypto"
import type { RateName, Rates } from "../../core/cost.ts"
import type { Notification, PriceChangedFacts } from "../../core/notification.ts"
import { toRateLabel } from "../../core/rates.ts"
import { listModelsInUse } from "../../database/first-uses.ts"
import type { PriceExplanation } from "../../pricing/price-list.ts"
import type { Context } from "../context.ts"

/** Models beyond the costliest ones are not compared. */
const MOST_MODELS = 500

/**
 * Finds the models of the last 30 days whose prices differ between two times, as the price book of this gateway has them. It
 * has a change as soon as it has fetched the price list.
 */
export async function findPriceChanges(
  { database, prices }: Context<"database" | "prices">,
  { since, now }: { readonly since: number; readonly now: number },
): Promise<readonly Notification<"price_changed">[]> {
  const models = await listModelsInUse(database, MOST_MODELS)
  return models.flatMap(({ provider, model, cost }) => {
    const [before] = prices.explain(provider, model, since)
    const [after] = prices.explain(provider, model, now)
    const changes = listChanges(before, after)
    if (changes.length === 0) return []
    const source = findSource(changes, before, after)
    const facts = { provider, model, source, changes, recent_cost: cost ?? undefined }
    // The day alone would leave out a second change of the day.
    const digest = createHash("sha256").update(JSON.stringify(changes)).digest("hex").slice(0, 12)
    const at = new Date(now).toISOString()
    const subject = `${provider}/${model}`
    return [{ kind: "price_changed", subject, window: `${at.slice(0, 10)}/${digest}`, severity: "info", at, facts }]
  })
}

type Change = PriceChangedFacts["changes"][number]

function listChanges(before: PriceExplanation | undefined, after: PriceExplanation | undefined): readonly Change[] {
  const [old, present] = [toComponents(before), toComponents(after)]
  // The first price of a model is no change.
  if (old.size === 0) return []
  return [...new Set([...old.keys(), ...present.keys()])].flatMap((component) => {
    const change = { component, before: old.get(component), after: present.get(component) }
    return change.before === change.after ? [] : [change]
  })
}

/** Returns the prices by component: `input`, `cache_read`, and `input above 200000` for those of long contexts. */
function toComponents(explanation: PriceExplanation | undefined): ReadonlyMap<string, string> {
  const { base = {}, tiers = [] } = explanation?.entry ?? {}
  const toPairs = (rates: Rates, suffix = "") =>
    (Object.entries(rates) as [RateName, string][]).map(([name, usd]) => [toRateLabel(name) + suffix, usd] as const)
  return new Map([...toPairs(base), ...tiers.flatMap(({ above, rates }) => toPairs(rates, ` above ${above}`))])
}

function findSource(
  [first]: readonly Change[],
  before: PriceExplanation | undefined,
  after: PriceExplanation | undefined,
): string {
  const isOf = (name: string) => first!.component.startsWith(toRateLabel(name as RateName))
  for (const { entry } of [after, before].filter((each) => each !== undefined)) {
    const found = Object.entries(entry.sources).find(([name]) => isOf(name))
    if (found?.[1] !== undefined) return found[1].source
  }
  return "unknown"
}
