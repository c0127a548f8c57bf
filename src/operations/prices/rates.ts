import type { PriceEntry, RateName, Rates } from "../../core/cost.ts"
import { isBucket, toRateLabel } from "../../core/rates.ts"

/** One rate of a price, under the name that a price list uses for it. */
interface LabeledRate {
  /** `cache_read`, `web_searches`. */
  readonly rate: string
  readonly usd: string
  readonly per: "million tokens" | "piece"
  readonly source: string
  readonly date: string | undefined
}

/** One model's price in the form of JSON. */
export interface PriceObject {
  readonly provider: string
  readonly model: string
  /** Each rate by its name, with `usd_per_million` or `usd_each`, `source` and `date`. */
  readonly rates: Readonly<Record<string, Readonly<Record<string, string | null>>>>
  /** The rates of requests with more input than `above_tokens`. */
  readonly long_context: readonly {
    readonly above_tokens: number
    readonly usd_per_million: Readonly<Record<string, string>>
  }[]
}

/** Lists the rates of a price that a source gives. Derived rates only repeat others and are left out. */
function listRates({ base, sources }: PriceEntry): readonly LabeledRate[] {
  return (Object.entries(base) as [RateName, string][]).flatMap(([name, usd]) => {
    const { source = "", date } = sources[name] ?? {}
    const per = isBucket(name) ? "million tokens" : "piece"
    return source === "derived" ? [] : [{ rate: toRateLabel(name), usd, per, source, date } as const]
  })
}

/** Returns one model's price in the form of JSON. */
export function toPriceObject(provider: string, entry: PriceEntry): PriceObject {
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
      usd_per_million: toLongRates(long, entry),
    })),
  }
}

/** Returns the long-context rates of tokens that a source gives. */
function toLongRates(rates: Rates, { sources }: PriceEntry): Readonly<Record<string, string>> {
  const listed = (Object.entries(rates) as [RateName, string][]).filter(
    ([name]) => isBucket(name) && sources[name]?.source !== "derived",
  )
  return Object.fromEntries(listed.map(([name, usd]) => [toRateLabel(name), usd]))
}
