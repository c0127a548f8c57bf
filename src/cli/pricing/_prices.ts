import type { PriceEntry, RateName, Rates } from "../../core/cost.ts"
import { BUCKETS } from "../../core/usage.ts"

/** What a price list calls a rate: `cache_read`, `web_searches`. */
export function toRateLabel(name: RateName): string {
  return name.replace(/1h$/, "_1h").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

export interface LabelledRate {
  readonly rate: string
  readonly usd: string
  readonly per: "million tokens" | "piece"
  readonly source: string
  readonly date: string | undefined
}

/** The rates that a source lists, then those that follow from them; `derived` only repeat others and are left out. */
export function listRates({ base, sources }: PriceEntry): readonly LabelledRate[] {
  return (Object.entries(base) as [RateName, string][]).flatMap(([name, usd]) => {
    const { source = "", date } = sources[name] ?? {}
    const per = (BUCKETS as readonly string[]).includes(name) ? "million tokens" : "piece"
    return source === "derived" ? [] : [{ rate: toRateLabel(name), usd, per, source, date } as const]
  })
}

/** One model's price as `--json` prints it. */
export function toPriceObject(provider: string, entry: PriceEntry) {
  const rates = listRates(entry).map(({ rate, usd, per, source, date }) => [
    rate,
    { [per === "piece" ? "usd_each" : "usd_per_million"]: usd, source, date: date ?? null },
  ])
  return {
    provider,
    model: entry.model,
    rates: Object.fromEntries(rates),
    long_context: entry.tiers.map(({ above, rates: long }) => ({
      above_tokens: above,
      usd_per_million: listed(long, entry),
    })),
  }
}

/** The long-context rates of what a source lists. */
function listed(rates: Rates, { sources }: PriceEntry): Readonly<Record<string, string>> {
  const named = (Object.entries(rates) as [RateName, string][]).filter(
    ([name]) => (BUCKETS as readonly string[]).includes(name) && sources[name]?.source !== "derived",
  )
  return Object.fromEntries(named.map(([name, usd]) => [toRateLabel(name), usd]))
}
