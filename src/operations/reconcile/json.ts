import type { Tolerance } from "../../config/reconcile.ts"
import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import { CAUSES, type Cause, type ReconciledDay, type Reconciliation } from "../../core/reconciliation.ts"
import { findExcess } from "./tolerance.ts"

/** A cause of a difference, as JSON shows it. Amounts are USD as exact decimals. */
export interface CauseObject {
  readonly cause: Cause["cause"]
  readonly amount: string
  readonly model: string | null
  readonly tier: string | null
  readonly bucket: string | null
  /** The provider's id of its API key. */
  readonly key: string | null
  readonly project: string | null
  readonly requests: number | null
  readonly days: readonly string[]
  readonly detail: string
  readonly advice: string | null
  /** USD per million tokens. */
  readonly rate: {
    readonly billed: string
    /** Null: the gateway has no price. */
    readonly recorded: string | null
    readonly source: string | null
    readonly date: string | null
  } | null
}

interface DayObject {
  readonly day: string
  readonly billed: string
  readonly recorded: string
  readonly settling: boolean
  /** billed - recorded. */
  readonly difference: string
  /** The amounts of the causes, added up by cause. */
  readonly totals: readonly { readonly cause: Cause["cause"]; readonly amount: string }[]
  readonly causes: readonly CauseObject[]
}

/** What one account of a provider billed, what was recorded, and why they differ. */
export interface ReconciliationObject {
  readonly provider: string
  readonly account: string | null
  readonly since: string
  /** The day after the last one. */
  readonly until: string
  readonly source: Reconciliation["source"]
  readonly fetched_at: string
  readonly billed: string
  readonly recorded: string
  readonly settling: boolean
  /** What needs attention on settled days, and what is tolerated (`reconcile.alert_above`). */
  readonly excess: string
  readonly tolerated: string
  readonly within_tolerance: boolean
  readonly causes: readonly CauseObject[]
  readonly days: readonly DayObject[]
  readonly notes: readonly string[]
}

export function toReconciliationObject(reconciliation: Reconciliation, tolerance: Tolerance): ReconciliationObject {
  const { provider, account, since, until, source, fetchedAt, billed, recorded, settling, notes } = reconciliation
  const { amount, tolerated, isBeyond } = findExcess(reconciliation.days, tolerance)
  return {
    provider,
    account: account ?? null,
    since,
    until,
    source,
    fetched_at: fetchedAt,
    billed,
    recorded,
    settling,
    excess: amount,
    tolerated,
    within_tolerance: !isBeyond,
    causes: reconciliation.causes.map(toCauseObject),
    days: reconciliation.days.map(toDayObject),
    notes,
  }
}

function toDayObject({ day, billed, recorded, settling, causes }: ReconciledDay): DayObject {
  const difference = formatDecimal(parseDecimal(billed) - parseDecimal(recorded))
  return { day, billed, recorded, settling, difference, totals: toTotals(causes), causes: causes.map(toCauseObject) }
}

function toTotals(causes: readonly Cause[]) {
  return CAUSES.flatMap((cause) => {
    const amounts = causes.filter((each) => each.cause === cause).map(({ amount }) => parseDecimal(amount))
    if (amounts.length === 0) return []
    return [{ cause, amount: formatDecimal(amounts.reduce((sum, amount) => sum + amount, 0n)) }]
  })
}

function toCauseObject({ cause, amount, days, detail, rate, ...more }: Cause): CauseObject {
  return {
    cause,
    amount,
    model: more.model ?? null,
    tier: more.tier ?? null,
    bucket: more.bucket ?? null,
    key: more.key ?? null,
    project: more.project ?? null,
    requests: more.requests ?? null,
    days,
    detail,
    advice: more.advice ?? null,
    rate: rate
      ? { billed: rate.billed, recorded: rate.recorded ?? null, source: rate.source ?? null, date: rate.date ?? null }
      : null,
  }
}
