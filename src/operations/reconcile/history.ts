import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import type { Reconciliation } from "../../core/reconciliation.ts"
import { type Days, listReconciliations, type StoredDay } from "../../database/reconciliations.ts"
import { addUpCauses } from "../../reconcile/compare/index.ts"
import type { Context } from "../context.ts"

/** Returns the stored comparisons of the days, one for each account of a provider. */
export async function getReconciliations(
  { database }: Context<"database">,
  { provider, days }: { readonly provider: string | undefined; readonly days: Days },
): Promise<readonly Reconciliation[]> {
  const accounts = new Map<string, StoredDay[]>()
  for (const day of await listReconciliations(database.query, { provider, ...days })) {
    const key = JSON.stringify([day.provider, day.account])
    accounts.set(key, [...(accounts.get(key) ?? []), day])
  }
  return [...accounts.values()].map(toReconciliation)
}

/** Adds up days of one account, in their order. */
function toReconciliation(days: readonly StoredDay[]): Reconciliation {
  const last = days.at(-1)!
  const total = (amounts: readonly string[]) =>
    formatDecimal(amounts.reduce((sum, each) => sum + parseDecimal(each), 0n))
  return {
    provider: last.provider,
    account: last.account,
    since: days[0]!.day,
    until: new Date(Date.parse(last.day) + 86_400_000).toISOString().slice(0, 10),
    source: last.source,
    fetchedAt: new Date(Math.max(...days.map(({ fetchedAt }) => fetchedAt.getTime()))).toISOString(),
    billed: total(days.map(({ billed }) => billed)),
    recorded: total(days.map(({ recorded }) => recorded)),
    settling: days.some(({ settling }) => settling),
    causes: addUpCauses(
      days.flatMap(({ causes }) => causes),
      { provider: last.provider },
    ),
    days: days.map(({ day, billed, recorded, settling, causes }) => ({ day, billed, recorded, settling, causes })),
    notes: [...new Set(days.flatMap(({ notes }) => notes))],
  }
}
