import { amount, type Decimal, formatDecimal, fromNumber, multiply, parseDecimal } from "../../../src/core/decimal.ts"
import type { Bucket } from "../../../src/core/reconciliation.ts"

export type BillingApi = "openai" | "anthropic" | "openrouter"

/** What one model did, in one or more requests that are counted at one time. Tests change it to plant differences. */
export interface Work {
  readonly provider: BillingApi
  /** The time at which the provider counts it, in milliseconds since the epoch. */
  at: number
  readonly model: string
  readonly tier: string
  /** The provider's ids of the API key and of the project or workspace. */
  readonly key: string
  readonly project: string
  readonly family: "completions" | "embeddings" | "moderations"
  requests: number
  /** Tokens, or web searches in `tool`. */
  readonly quantities: Partial<Record<Bucket, number>>
  /** Reports do not contain it before this time. */
  visibleFrom?: number
}

/** An amount that is billed outside of tokens. */
export interface Charge {
  readonly provider: BillingApi
  readonly at: number
  /** The line item of OpenAI, or the cost type of Anthropic. */
  readonly item: string
  /** USD, as a decimal. */
  readonly amount: string
  readonly model?: string
  readonly key?: string
  readonly project?: string
}

/** USD per million tokens of each bucket, and per million pieces of `tool`. */
export type Rates = Record<string, Partial<Record<Bucket, string>>>

/** The rates of November 2026. */
export const RATES: Readonly<Rates> = {
  "gpt-4o-mini": { input: "0.15", cache_read: "0.075", output: "0.6" },
  "gpt-4o-mini-2024-07-18": { input: "0.15", cache_read: "0.075", output: "0.6" },
  "gpt-5": { input: "1.25", cache_read: "0.125", output: "10", tool: "10000" },
  "text-embedding-3-small": { input: "0.02" },
  "omni-moderation-latest": { input: "0" },
  "claude-sonnet-4-5": {
    input: "3",
    cache_read: "0.3",
    cache_write: "3.75",
    cache_write_1h: "6",
    output: "15",
    tool: "10000",
  },
  "openai/gpt-4o-mini": { input: "0.15", cache_read: "0.075", output: "0.6" },
}

const TIERS: Readonly<Record<string, string>> = { batch: "0.5", flex: "0.5", priority: "2" }
const ONE = fromNumber(1)

/** The provider's books: what was served, what it costs, and from when reports show it. */
export interface Books {
  readonly works: Work[]
  readonly charges: Charge[]
  readonly rates: Rates
  /** The share by which the account's amounts are below list prices, such as `0.1`. */
  readonly discounts: Partial<Record<BillingApi, string>>
  now(): number
}

/** Returns the work that reports of the API show now. */
export function visibleWork(books: Books, api: BillingApi): readonly Work[] {
  const now = books.now()
  return books.works.filter(({ provider, at, visibleFrom = 0 }) => provider === api && at <= now && visibleFrom <= now)
}

/** Returns the charges that reports of the API show now. */
export function visibleCharges(books: Books, api: BillingApi): readonly Charge[] {
  return books.charges.filter(({ provider, at }) => provider === api && at <= books.now())
}

/** Returns the list price of one bucket of some work. */
export function listCostOf(books: Books, work: Work, bucket: Bucket): Decimal {
  const rate = books.rates[work.model]?.[bucket]
  if (rate === undefined) throw new Error(`the billing provider has no rate for ${work.model} ${bucket}`)
  const factor = bucket === "tool" ? ONE : parseDecimal(TIERS[work.tier] ?? "1")
  return amount({ quantity: work.quantities[bucket] ?? 0, rate: parseDecimal(rate), factor, per: 1_000_000n })
}

/** Returns what the account pays for one bucket of some work. */
export function costOf(books: Books, work: Work, bucket: Bucket): Decimal {
  const share = parseDecimal(books.discounts[work.provider] ?? "0")
  return multiply(listCostOf(books, work, bucket), ONE - share)
}

/** Returns everything that some work costs, as decimal text. */
export function totalOf(books: Books, works: readonly Work[]): string {
  const sum = works.flatMap((work) => bucketsOf(work).map((bucket) => costOf(books, work, bucket)))
  return formatDecimal(sum.reduce((a, b) => a + b, 0n))
}

export function bucketsOf(work: Work): readonly Bucket[] {
  return (Object.keys(work.quantities) as Bucket[]).filter((bucket) => work.quantities[bucket])
}

export function dayStart(ms: number): number {
  return Math.floor(ms / 86_400_000) * 86_400_000
}
