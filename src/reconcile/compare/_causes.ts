import { type Decimal, formatDecimal } from "../../core/decimal.ts"
import { CAUSES, type Cause } from "../../core/reconciliation.ts"
import { getOrSet } from "./_map.ts"
import { adviceOf, sentenceOf } from "./_sentences.ts"
import type { Finding, Summary } from "./_shapes.ts"

/** Findings about requests as a whole; all others are about one bucket. */
const WHOLE = new Set<Finding["why"]>(["outside", "cut_off", "failed", "pending", "unreported", "estimated", "missing"])

/** Adds up findings that are alike, in the order of the causes, the largest amount first. */
export function toCauses(findings: readonly Finding[], context: { readonly provider: string }): readonly Cause[] {
  const alike = new Map<string, Finding[]>()
  for (const finding of findings) {
    const { cause, why, model, tier, bucket, owner, project, item, rate } = finding
    const of = [
      cause,
      why,
      model,
      tier,
      WHOLE.has(why) ? undefined : bucket,
      owner,
      project,
      item,
      rate?.billed,
      rate?.recorded,
    ]
    getOrSet(alike, JSON.stringify(of), () => []).push(finding)
  }
  return [...alike.values()]
    .map(summarize)
    .filter(({ amount, quantities }) => amount !== 0n || [...quantities.values()].some((each) => each !== 0n))
    .sort((a, b) => rank(a) - rank(b) || (magnitude(a) < magnitude(b) ? 1 : magnitude(a) > magnitude(b) ? -1 : 0))
    .map((summary) => toCause(summary, context))
}

function rank({ cause }: Summary): number {
  return CAUSES.indexOf(cause)
}

function magnitude({ amount }: Summary): Decimal {
  return amount < 0n ? -amount : amount
}

function summarize(findings: readonly Finding[]): Summary {
  const quantities = new Map<string, Decimal>()
  /** Findings about the buckets of the same requests have the same number of them. */
  const requests = new Map<string, number>()
  for (const { day, tier, bucket, quantity, requests: count } of findings) {
    if (quantity !== undefined) quantities.set(bucket ?? "all", (quantities.get(bucket ?? "all") ?? 0n) + quantity)
    if (count !== undefined) requests.set(`${day} ${tier}`, Math.max(count, requests.get(`${day} ${tier}`) ?? 0))
  }
  const { day: _, quantity: __, ...first } = findings[0]!
  const buckets = new Set(findings.map(({ bucket }) => bucket))
  return {
    ...first,
    bucket: buckets.size === 1 ? first.bucket : undefined,
    amount: findings.reduce((sum, { amount }) => sum + amount, 0n),
    requests: requests.size === 0 ? undefined : [...requests.values()].reduce((sum, count) => sum + count, 0),
    days: [...new Set(findings.map(({ day }) => day))].sort(),
    quantities,
  }
}

function toCause(summary: Summary, context: { readonly provider: string }): Cause {
  const { cause, amount, model, tier, bucket, owner, project, requests, days, rate } = summary
  const advice = adviceOf(summary, context)
  return {
    cause,
    amount: formatDecimal(amount),
    ...(model !== undefined && { model }),
    ...(tier !== undefined && { tier }),
    ...(bucket !== undefined && { bucket }),
    ...(owner !== undefined && { key: owner }),
    ...(project !== undefined && { project }),
    ...(requests !== undefined && { requests }),
    days,
    detail: sentenceOf(summary, context),
    ...(advice !== undefined && { advice }),
    ...(rate !== undefined && { rate: toRate(rate) }),
  }
}

function toRate({ billed, recorded, source, date }: NonNullable<Finding["rate"]>): NonNullable<Cause["rate"]> {
  return { billed, recorded, ...(source !== undefined && { source }), ...(date !== undefined && { date }) }
}
