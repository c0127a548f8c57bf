/**
 * What a line of a bill pays for. `input` is uncached input, `cache_write` the 5-minute writes, `all` a line of a source
 * that does not split its costs.
 */
export const BUCKETS = [
  "input",
  "cache_read",
  "cache_write",
  "cache_write_1h",
  "output",
  "audio_input",
  "audio_output",
  "image_input",
  "image_output",
  "tool",
  "storage",
  "session",
  "credit",
  "tax",
  "other",
  "all",
] as const

export type Bucket = (typeof BUCKETS)[number]

/**
 * One line of a provider's bill, for one UTC day. Providers report usage and cost separately and at different detail, so a
 * line has a quantity, a cost, or both.
 */
export interface BillLine {
  /** The UTC day, such as `2026-11-01`. */
  readonly day: string
  /** As the provider names it. Undefined: the line names none, such as a credit. */
  readonly model: string | undefined
  /** The served tier, such as `standard`, `batch`, `flex` or `priority`. Undefined: the source does not say it. */
  readonly tier: string | undefined
  readonly bucket: Bucket
  /** The provider's id of its API key, such as `key_abc`. */
  readonly key: string | undefined
  /** The provider's id of the project or workspace. */
  readonly project: string | undefined
  /** Requests behind the line. Only one line of the same day, model, tier, key and project carries them. */
  readonly requests: number | undefined
  /** Tokens, or pieces of a tool, as an exact decimal. Undefined: the line has a cost only. */
  readonly quantity: string | undefined
  /** USD before discounts, as an exact decimal, where the provider says it. */
  readonly listCost: string | undefined
  /** USD that the provider charges, as an exact decimal. Undefined: the line has usage only. */
  readonly cost: string | undefined
  /** The provider's own text of the line, such as `gpt-5.5, cached input`. */
  readonly item: string | undefined
}

/** The lines that a provider bills for an account and a range of UTC days. */
export interface Bill {
  readonly provider: string
  /** The provider's name or id of the account, where it says one. */
  readonly account: string | undefined
  /** The first UTC day. */
  readonly since: string
  /** The UTC day after the last one. */
  readonly until: string
  readonly source: "api" | "legacy-api" | "import"
  readonly lines: readonly BillLine[]
  /** When the provider was asked, as an ISO time. */
  readonly fetchedAt: string
  /** Whole sentences about what the source could not say, such as a report that the credential may not read. */
  readonly notes: readonly string[]
}

/**
 * What is known of the usage of recorded requests. `metered`: the provider reported it, or the request is billed by the
 * piece. `estimated`: the gateway counted it. The others have no usage, for one of these reasons: the exchange was
 * `cut_off`, the answer `failed` (status 400 or more), work is `pending` in the background, or nothing was `reported`.
 */
export type RecordedKind = "metered" | "estimated" | "cut_off" | "failed" | "pending" | "unreported"

/** Recorded requests that are alike. */
export interface RecordedGroup {
  /** The UTC day in which the requests ended. */
  readonly day: string
  /** The UTC day in which they began. */
  readonly began: string
  /** The model that answered, as the provider named it. */
  readonly model: string
  /** The served tier. Undefined: the provider named none. */
  readonly tier: string | undefined
  /** The alias of the provider's credential, or else the beginning of its SHA-256. Undefined: it is not known. */
  readonly credential: string | undefined
  readonly kind: RecordedKind
}

/** What recorded requests used of one bucket, at one rate. */
export interface RecordedLine extends RecordedGroup {
  readonly bucket: Bucket
  /** Tokens or pieces, as an exact decimal. */
  readonly quantity: string
  readonly per: "million" | "one"
  /** USD per million tokens or per piece, with all multipliers except discounts. Undefined: the gateway has no price. */
  readonly rate: string | undefined
  /** The part of the list price that remains, such as `0.875`. */
  readonly discount: string
  /** USD, after discounts. Undefined: the gateway has no price. */
  readonly cost: string | undefined
  readonly source: string | undefined
  readonly date: string | undefined
}

/** The number of recorded requests of a group. */
export interface RecordedRequests extends RecordedGroup {
  readonly requests: number
}

/**
 * What the gateway recorded for a provider, without requests of subscriptions, rejected requests and calls that are free.
 * Requests that began before the last day ended, and ended after it, are contained, and so are those across the first
 * midnight, because providers differ in the day to which they assign a request.
 */
export interface RecordedSide {
  readonly provider: string
  readonly lines: readonly RecordedLine[]
  readonly requests: readonly RecordedRequests[]
}

/** Why a bill and the recorded cost differ, in the order in which causes are looked for. */
export const CAUSES = [
  "outside",
  "unmetered",
  "estimated",
  "tokens",
  "price",
  "discount",
  "fees",
  "unexplained",
] as const

/** A part of the difference between the billed and the recorded cost. */
export interface Cause {
  readonly cause: (typeof CAUSES)[number]
  /** Distinguishes causes of the same name; each has a sentence of its own. */
  readonly why: string
  /** USD, as an exact decimal; negative where the gateway recorded more than was billed. */
  readonly amount: string
  readonly model?: string
  readonly tier?: string
  readonly bucket?: Bucket
  readonly key?: string
  readonly project?: string
  readonly requests?: number
  /** Billed minus recorded tokens or pieces by bucket, as exact decimals. */
  readonly quantities: Readonly<Record<string, string>>
  /** The provider's own text of the line. */
  readonly item?: string
  /** The days on which it was found, ascending. */
  readonly days: readonly string[]
  /** A whole sentence that says what was found. */
  readonly detail: string
  /** What to do about it, as a whole sentence. */
  readonly advice?: string
  /** For `price`: the rate that the bill implies, and the one that the gateway used, in USD. */
  readonly rate?: {
    readonly per: "million" | "one"
    readonly billed: string
    /** Undefined: the gateway has no price for the tokens. */
    readonly recorded: string | undefined
    /** Where the recorded rate is from, and since when it holds. */
    readonly source?: string
    readonly date?: string
  }
}

/** The rates of tokens that an own price can set, by the buckets that they pay for. */
const OWN_RATES: Readonly<Partial<Record<Bucket, string>>> = {
  input: "input",
  cache_read: "cache_read",
  cache_write: "cache_write",
  cache_write_1h: "cache_write_1h",
  output: "output",
  audio_input: "input_audio",
  audio_output: "output_audio",
  image_input: "input_image",
  image_output: "output_image",
}

interface PriceDifference {
  readonly bucket?: Bucket | undefined
  readonly tier?: string | undefined
  readonly rate?: { readonly per: "million" | "one" } | undefined
}

/**
 * Returns the rate of an own price that would make a cause of the kind `price` disappear. Undefined: none would, because the
 * price is for pieces or fees, or holds only for a tier, which has no rates of its own.
 */
export function findOwnRate({ bucket, tier, rate }: PriceDifference): string | undefined {
  const isOfAllTiers = tier === undefined || tier === "standard" || tier === "default"
  return bucket !== undefined && rate?.per === "million" && isOfAllTiers ? OWN_RATES[bucket] : undefined
}

/** One UTC day of a reconciliation. `billed - recorded` is the sum of the amounts of the causes. */
export interface ReconciledDay {
  readonly day: string
  readonly billed: string
  readonly recorded: string
  /** Whether the provider may still add to the day, so that its difference does not alarm. */
  readonly settling: boolean
  readonly causes: readonly Cause[]
}

/** What a provider billed, what was recorded, and every cause of the difference. */
export interface Reconciliation {
  readonly provider: string
  readonly account: string | undefined
  readonly since: string
  readonly until: string
  readonly source: Bill["source"]
  readonly fetchedAt: string
  readonly billed: string
  readonly recorded: string
  readonly settling: boolean
  /** The causes of all days, added up where only the day differs. */
  readonly causes: readonly Cause[]
  readonly days: readonly ReconciledDay[]
  readonly notes: readonly string[]
}
