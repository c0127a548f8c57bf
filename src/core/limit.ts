/**
 * Limits: how much of something requests may use in a window of time. The ledger is the counter: what a limit has used is
 * kept by the triggers of `llm_requests` (table `llm_limit_usage`), and what running requests may still use is covered by
 * leases (table `llm_limit_leases`).
 */

export const LIMIT_MEASURES = ["cost", "requests", "input_tokens", "output_tokens", "tokens", "concurrency"] as const
/** `cost` is in USD as the bill counts it, without subscriptions. `concurrency` counts requests that are running. */
export type LimitMeasure = (typeof LIMIT_MEASURES)[number]

export const LIMIT_WINDOWS = ["minute", "hour", "day", "week", "month", "total"] as const
/** Calendar windows in the time zone of the limit; a week begins on Monday; `total` never resets. */
export type LimitWindow = (typeof LIMIT_WINDOWS)[number]

/** One limit, as stored. */
export interface Limit {
  readonly id: string
  /** Unique. */
  readonly name: string
  readonly measure: LimitMeasure
  /** A plain decimal, at least 0. */
  readonly amount: string
  readonly window: LimitWindow
  /** An IANA name. */
  readonly tz: string
  /** The filters: a request counts if it meets all of them. `key` is the id of an API key. */
  readonly key?: string | undefined
  readonly provider?: string | undefined
  /** The requested or the answering model; may end in `*`. */
  readonly model?: string | undefined
  readonly where?: Readonly<Record<string, string>> | undefined
  /** One budget for each value of: `key`, `model`, or a metadata name (Train-Case); undefined: one budget for all. */
  readonly per?: string | undefined
  /** `warn` never rejects. */
  readonly action: "block" | "warn"
  /** Percentages of the amount at which people are told, ascending. */
  readonly notifyAt: readonly number[]
  /** What is reserved for a request before its answer is known: what such requests usually use, or what they can use at most. */
  readonly estimate: "expected" | "maximum"
  /** What a limit on cost does to requests whose price is not known. */
  readonly unpriced: "allow" | "block"
  /** `config`: it stands in the configuration file and is read-only elsewhere. */
  readonly source: "database" | "config"
}

/**
 * The group of a limit with `per` to which requests without that metadata name belong. An API key or a model always has a
 * value. A limit without `per` has only this one group.
 */
export const NO_VALUE = ""

/** Returns how much of a limit is used: 0.25 is a quarter. A limit of 0 is used up. */
export function toUsedShare({ amount, used }: { readonly amount: string; readonly used: string }): number {
  return Number(amount) === 0 ? 1 : Number(used) / Number(amount)
}

/** Returns the share of a limit that is used in whole percent. Only a limit that is used up has 100. */
export function toUsedPercent(share: number): number {
  const percent = share * 100
  return percent >= 99 ? Math.floor(percent) : Math.round(percent)
}

/** Values are cut to this many characters (code points), in the database and in the gateway alike. */
export const MAX_VALUE_LENGTH = 255

/** Characters that would end the name, or that a header value cannot have. */
const ENCODED = /[^ !#$&-+\--<>-~]+/g

/** Returns the name of a limit as it stands in a header: other characters are percent-encoded. */
export function toHeaderName(name: string): string {
  return name.replace(ENCODED, (text) => encodeURIComponent(text))
}

/** Returns the text of a header that states what a limit has left: `team=0.02`. */
export function toRemainingText(name: string, left: string): string {
  return `${toHeaderName(name)}=${left}`
}
