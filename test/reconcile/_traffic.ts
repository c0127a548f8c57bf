import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import type { Bill, BillLine, Bucket, RecordedKind, RecordedLine, RecordedSide } from "../../src/core/reconciliation.ts"

/** Rates of the provider, in USD per million tokens. */
export const RATES: Readonly<Record<string, Readonly<Partial<Record<Bucket, string>>>>> = {
  "gpt-5.5-2026-04-23": { input: "1.25", cache_read: "0.125", output: "10", audio_input: "32", audio_output: "64" },
  "gpt-5-mini-2025-08-07": { input: "0.25", cache_read: "0.025", output: "2" },
  "gpt-4o-2024-08-06": { input: "2.5", cache_read: "1.25", output: "10" },
  "claude-sonnet-4-6": { input: "3", cache_read: "0.3", cache_write: "3.75", cache_write_1h: "6", output: "15" },
}
const TIERS: Readonly<Record<string, string>> = { standard: "1", batch: "0.5", priority: "2" }

export type Tokens = Readonly<Partial<Record<Bucket, number>>>

/** Requests that are alike, as they really were. */
export interface Truth {
  readonly day: string
  readonly model: string
  readonly tier: string
  readonly key: string
  readonly requests: number
  readonly tokens: Tokens
}

/** Computes `tokens × rate / 1,000,000` in USD. */
export function costOf(tokens: number, rate: string): bigint {
  return (BigInt(tokens) * parseDecimal(rate)) / 1_000_000n
}

export function rateOf(model: string, tier: string, bucket: Bucket): string {
  const product = parseDecimal(RATES[model]![bucket]!) * parseDecimal(TIERS[tier]!)
  return formatDecimal(product / 10n ** 18n)
}

/** Adds a line to a bill for each bucket, with usage and cost as the provider computes it. */
export function billOf(truth: Truth, rate = rateOf): BillLine[] {
  const { day, model, tier, key, requests, tokens } = truth
  return (Object.entries(tokens) as [Bucket, number][]).map(([bucket, quantity], at) => ({
    ...{ day, model, tier, bucket, key, project: undefined, item: undefined, listCost: undefined },
    requests: at === 0 ? requests : undefined,
    quantity: String(quantity),
    cost: formatDecimal(costOf(quantity, rate(model, tier, bucket))),
  }))
}

export interface Recorded {
  readonly lines: RecordedLine[]
  readonly requests: RecordedSide["requests"][number][]
}

/** Adds requests to the recorded side, priced with the rates of the provider or others. */
export function record(
  side: Recorded,
  truth: Truth,
  { kind = "metered" as RecordedKind, rate = rateOf, began = truth.day, credential = aliasOf(truth.key) } = {},
): void {
  const { day, model, tier, requests, tokens } = truth
  const group = { day, began, model, tier: tier === "standard" ? undefined : tier, credential, kind }
  side.requests.push({ ...group, requests })
  for (const [bucket, quantity] of Object.entries(tokens) as [Bucket, number][]) {
    const used = rate(model, tier, bucket)
    side.lines.push({
      ...group,
      ...{ bucket, quantity: String(quantity), per: "million", rate: used, discount: "1" },
      ...{ cost: formatDecimal(costOf(quantity, used)), source: "llm-prices.com", date: "2026-10-30" },
    })
  }
}

export function aliasOf(key: string): string {
  return key.replace("key_", "alias-")
}

export function toBill(lines: readonly BillLine[], more: Partial<Bill> = {}): Bill {
  return {
    ...{ provider: "openai", account: undefined, since: "2026-11-01", until: "2026-11-08", source: "api" },
    ...{ fetchedAt: "2026-11-20T00:00:00Z", notes: [], lines },
    ...more,
  }
}

export function toSide({ lines, requests }: Recorded): RecordedSide {
  return { provider: "openai", lines, requests }
}

export const OPTIONS = { settledBefore: new Date("2026-11-20T00:00:00Z"), keys: new Map<string, string>() }
