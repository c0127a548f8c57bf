import { type Decimal, formatDecimal, parseDecimal } from "../../core/decimal.ts"
import { CAUSES, type Cause } from "../../core/reconciliation.ts"
import { adviceOf, sentenceOf } from "./_sentences.ts"
import type { Finding, Summary } from "./_shapes.ts"

/** Findings about requests as a whole; all others are about one bucket. */
const WHOLE = new Set<Finding["why"]>(["outside", "cut_off", "failed", "pending", "unreported", "estimated", "missing"])

interface Context {
  readonly provider: string
}

/** Adds up the findings of a day that are alike, in the order of the causes, the largest amount first. */
export function toCauses(findings: readonly Finding[], context: Context): readonly Cause[] {
  return addUp(findings.map(toSummary), context, ([a, b]) => Math.max(a, b))
}

/** Adds up the causes of several days where only the day differs, as `toCauses` does for one day. */
export function addUpCauses(causes: readonly Cause[], context: Context): readonly Cause[] {
  return addUp(causes.map(fromCause), context, ([a, b]) => a + b)
}

/** @param addRequests adds up the requests of two parts: those about the buckets of the same requests have the same number */
function addUp(
  parts: readonly Summary[],
  context: Context,
  addRequests: (counts: readonly [number, number]) => number,
): readonly Cause[] {
  const alike = new Map<string, Summary>()
  for (const part of parts) {
    const { cause, why, model, tier, bucket, owner, project, item, rate } = part
    const isWhole = WHOLE.has(why)
    const of = [cause, why, model, tier, isWhole || bucket, owner, project, item, rate?.billed, rate?.recorded]
    const key = JSON.stringify(of)
    const before = alike.get(key)
    alike.set(key, before === undefined ? part : join(before, part, addRequests))
  }
  return [...alike.values()]
    .filter(({ amount, quantities }) => amount !== 0n || [...quantities.values()].some((each) => each !== 0n))
    .sort((a, b) => rank(a) - rank(b) || (magnitude(a) < magnitude(b) ? 1 : magnitude(a) > magnitude(b) ? -1 : 0))
    .map((summary) => toCause(summary, context))
}

function join(a: Summary, b: Summary, addRequests: (counts: readonly [number, number]) => number): Summary {
  const quantities = new Map(a.quantities)
  for (const [bucket, quantity] of b.quantities) quantities.set(bucket, (quantities.get(bucket) ?? 0n) + quantity)
  const requests =
    a.requests === undefined || b.requests === undefined
      ? (a.requests ?? b.requests)
      : addRequests([a.requests, b.requests])
  return {
    ...a,
    bucket: a.bucket === b.bucket ? a.bucket : undefined,
    amount: a.amount + b.amount,
    requests,
    days: [...new Set([...a.days, ...b.days])].sort(),
    quantities,
  }
}

function toSummary({ day, quantity, ...finding }: Finding): Summary {
  const quantities = new Map(quantity === undefined ? [] : [[finding.bucket ?? "all", quantity]])
  return { ...finding, days: [day], quantities }
}

function fromCause({ key, amount, quantities, detail: _, advice: __, rate, ...cause }: Cause): Summary {
  return {
    ...cause,
    why: cause.why as Finding["why"],
    owner: key,
    amount: parseDecimal(amount),
    quantities: new Map(Object.entries(quantities).map(([bucket, quantity]) => [bucket, parseDecimal(quantity)])),
    rate: rate && { ...rate, source: rate.source, date: rate.date },
  }
}

function rank({ cause }: Summary): number {
  return CAUSES.indexOf(cause)
}

function magnitude({ amount }: Summary): Decimal {
  return amount < 0n ? -amount : amount
}

function toCause(summary: Summary, context: Context): Cause {
  const { cause, why, amount, model, tier, bucket, owner, project, requests, quantities, item, days, rate } = summary
  const advice = adviceOf(summary, context)
  return {
    cause,
    why,
    amount: formatDecimal(amount),
    ...(model !== undefined && { model }),
    ...(tier !== undefined && { tier }),
    ...(bucket !== undefined && { bucket }),
    ...(owner !== undefined && { key: owner }),
    ...(project !== undefined && { project }),
    ...(requests !== undefined && { requests }),
    quantities: Object.fromEntries([...quantities].map(([bucket, quantity]) => [bucket, formatDecimal(quantity)])),
    ...(item !== undefined && { item }),
    days,
    detail: sentenceOf(summary, context),
    ...(advice !== undefined && { advice }),
    ...(rate !== undefined && { rate: toRate(rate) }),
  }
}

function toRate({ per, billed, recorded, source, date }: NonNullable<Finding["rate"]>): NonNullable<Cause["rate"]> {
  return { per, billed, recorded, ...(source !== undefined && { source }), ...(date !== undefined && { date }) }
}
