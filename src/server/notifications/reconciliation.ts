import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import type { Notification, ReconciliationFacts } from "../../core/notification.ts"
import type { ReconciledDay } from "../../core/reconciliation.ts"
import type { DailyResult } from "../../operations/reconcile/daily.ts"

/** Returns the notification that a bill differs beyond the tolerance; undefined if it does not. */
export function toReconciliationNotification(
  { reconciliation, newDays, excess }: DailyResult,
  now: number,
): Notification<"reconciliation"> | undefined {
  const [first, last] = [newDays[0], newDays.at(-1)]
  if (!excess.isBeyond || first === undefined || last === undefined) return undefined
  const { provider, account } = reconciliation
  const days = reconciliation.days.filter(({ day }) => newDays.includes(day))
  const facts: ReconciliationFacts = {
    reconciliation_id: undefined,
    provider,
    since: `${first}T00:00:00.000Z`,
    until: `${last}T23:59:59.999Z`,
    billed: sum(days.map(({ billed }) => billed)),
    recorded: sum(days.map(({ recorded }) => recorded)),
    unproven: excess.amount,
    tolerance: excess.tolerated,
    causes: listCauses(days),
  }
  return {
    kind: "reconciliation",
    subject: account === undefined ? provider : `${provider}/${account}`,
    window: `${first}/${last}`,
    severity: "warning",
    at: new Date(now).toISOString(),
    facts,
  }
}

function listCauses(days: readonly ReconciledDay[]) {
  const amounts = new Map<string, string[]>()
  for (const { cause, amount } of days.flatMap(({ causes }) => causes)) {
    amounts.set(cause, [...(amounts.get(cause) ?? []), amount])
  }
  return [...amounts].map(([cause, parts]) => ({ cause, amount: sum(parts) }))
}

function sum(amounts: readonly string[]): string {
  return formatDecimal(amounts.reduce((total, amount) => total + parseDecimal(amount), 0n))
}
