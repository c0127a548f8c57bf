import type { DigestFacts } from "../../core/notification.ts"
import type { Context } from "../context.ts"
import { toDay } from "../reconcile/days.ts"
import { getReconciliations } from "../reconcile/history.ts"
import { findExcess } from "../reconcile/tolerance.ts"

interface Span {
  readonly since: number
  readonly until: number
}

/** Returns the stored comparisons with bills for the days of UTC that are in a period. */
export async function summarizeReconciliations(
  context: Context<"database" | "settings">,
  { since, until }: Span,
): Promise<DigestFacts["reconciliations"]> {
  const days = { since: toDay(since), until: toDay(until) }
  const stored = await getReconciliations(context, { provider: undefined, days })
  return stored.map(({ provider, account, until, billed, recorded, days }) => ({
    provider: account === undefined ? provider : `${provider} (${account})`,
    until,
    billed,
    recorded,
    is_within_tolerance: !findExcess(days, context.settings.reconcile.alertAbove).isBeyond,
  }))
}
