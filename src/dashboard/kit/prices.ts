/** One rate: USD per million tokens, or for each piece. */
interface Rate {
  readonly usd_per_million?: string
  readonly usd_each?: string
  readonly source: string
  readonly date: string | null
}

/** One model of the price book. Rates have names such as `input` and `cache_read`. */
export interface Price {
  readonly provider: string
  readonly model: string
  readonly rates: Readonly<Record<string, Rate>>
  readonly long_context: readonly {
    readonly above_tokens: number
    readonly usd_per_million: Readonly<Record<string, string>>
  }[]
}

/** A price, and why it is so. */
export interface ExplainedPrice extends Price {
  readonly asked: string
  readonly matched: "exact" | "rule" | "undated"
  /** Why a rate may be wrong. */
  readonly unsure: Readonly<Record<string, string>>
  readonly disagreements: readonly {
    readonly rate: string
    readonly taken: string
    readonly from: string
    readonly other: string
    readonly other_from: string
  }[]
  readonly not_used: readonly { readonly source: string; readonly reason: string }[]
}

/** The prices of a model in one source from a time on. */
export interface PriceChange {
  readonly provider: string
  readonly model: string
  readonly source: string
  /** Null: the first that are known. */
  readonly since: string | null
  readonly listed: boolean
  readonly rates: Readonly<Record<string, string>>
}

/** A price that was set for all gateways of the database. */
export interface Override {
  /** In lower case. */
  readonly model: string
  /** Null: at every provider. */
  readonly provider: string | null
  /** The first day, in UTC; null: from the beginning. */
  readonly from: string | null
  readonly rates: Readonly<Record<string, string>>
  readonly set_at: string
  readonly set_by: string
}

/** A model with requests that have no price. */
export interface UnpricedModel {
  readonly provider: string | null
  readonly model: string | null
  readonly requests: number
  readonly unpriced: number
  readonly input_tokens: number
  readonly output_tokens: number
}

/** What a repricing changes. Money is USD as a plain decimal. */
export interface Repricing {
  readonly dry_run: boolean
  readonly models: readonly {
    readonly provider: string
    readonly model: string
    readonly looked: number
    readonly changed: number
    readonly before: string
    readonly after: string
    readonly unpriced_before: number
    readonly unpriced_after: number
    readonly reason: string | null
  }[]
}

/** Returns a rate as people write it: `$0.15`, with all its digits and at least cents. */
export function formatRate(usd: string | undefined): string {
  if (usd === undefined) return "—"
  const [whole, fraction = ""] = usd.split(".")
  return `$${whole}.${fraction.padEnd(2, "0")}`
}

/** Returns the name of a rate for people: `cache_write_1h` is `Cache write 1h`. */
export function toRateTitle(rate: string): string {
  const words = rate.replaceAll("_", " ")
  return words.charAt(0).toUpperCase() + words.slice(1)
}
