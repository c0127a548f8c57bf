import type { Reconciliation } from "../../core/reconciliation.ts"
import {
  claimReconcileRun,
  findFirstRecordedDay,
  finishReconcileRun,
  listReconciliations,
} from "../../database/reconciliations.ts"
import { toDay } from "./days.ts"
import { type ReconcileContext, reconcile } from "./reconcile.ts"
import { type Excess, findExcess } from "./tolerance.ts"

const DAY_MS = 86_400_000
/** Providers correct their bills for some days. */
const AGAIN_DAYS = 7
/** Some providers report no more at once. */
const MOST_DAYS = 30

/** What the daily comparison of a provider has found. */
export interface DailyResult {
  readonly reconciliation: Reconciliation
  /** The days that have settled since the last comparison, and what of their difference needs attention. */
  readonly newDays: readonly string[]
  readonly excess: Excess
}

/**
 * Compares the bill of a provider once a day, when the day before has settled: the last week, and up to 30 days that were not
 * compared or had not settled.
 *
 * @returns the results by account; none if it is not due, another gateway does it, or the provider has no requests
 * @throws CommandError if the bill cannot be read; the comparison is due again an hour later
 */
export async function reconcileDaily(context: ReconcileContext, provider: string): Promise<readonly DailyResult[]> {
  const { database, settings, now } = context
  const { settleMs, alertAbove } = settings.reconcile
  const dueAt = new Date(Math.floor((now() - settleMs) / DAY_MS) * DAY_MS + settleMs)
  const first = await findFirstRecordedDay(database.query, provider)
  if (first === undefined || !(await claimReconcileRun(database, { provider, dueAt }))) return []

  const today = Math.floor(now() / DAY_MS) * DAY_MS
  const until = toDay(today + DAY_MS)
  const earliest = [first, toDay(today - MOST_DAYS * DAY_MS)].sort().at(-1)!
  const stored = await listReconciliations(database.query, { provider, since: earliest, until })
  const settled = new Set(stored.filter(({ settling }) => !settling).map(({ day }) => day))
  let since = earliest
  while (settled.has(since) && since < toDay(today - AGAIN_DAYS * DAY_MS)) since = toDay(Date.parse(since) + DAY_MS)

  const { reconciliations } = await reconcile(context, { provider, days: { since, until } })
  await finishReconcileRun(database, provider)
  return reconciliations.map((reconciliation) => {
    const days = reconciliation.days.filter(({ day, settling }) => !settling && !settled.has(day))
    return { reconciliation, newDays: days.map(({ day }) => day), excess: findExcess(days, alertAbove) }
  })
}
