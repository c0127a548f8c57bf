import { BILLED_PROVIDERS, listConfigured } from "../../config/billing-credentials.ts"
import { CommandError } from "../../core/errors.ts"
import type { Bill, Reconciliation } from "../../core/reconciliation.ts"
import { recordChange } from "../../database/access/audit.ts"
import { sumImported } from "../../database/imports.ts"
import {
  type Days,
  findPrunedBefore,
  listImportedProviders,
  readImportedLines,
  writeReconciliation,
} from "../../database/reconciliations.ts"
import { readSlowly } from "../../database/slow-read.ts"
import { compareBills } from "../../reconcile/compare/index.ts"
import { SourceError } from "../../reconcile/sources/index.ts"
import { askRecorded, readRecorded } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { explainCredential, getKeyAliases, openSource } from "./sources.ts"

export type ReconcileContext = Context<"database" | "settings" | "actor" | "now" | "log"> & {
  readonly signal: AbortSignal
}

interface ReconcileInput {
  /** Undefined: every provider whose credential is set, or that has imported lines. */
  readonly provider: string | undefined
  readonly days: Days
}

/** A provider whose bill could not be read. */
interface FailedProvider {
  readonly provider: string
  readonly reason: SourceError["reason"]
  /** Whole sentences that say what to do. */
  readonly message: string
}

interface ReconcileResult {
  readonly reconciliations: readonly Reconciliation[]
  readonly failed: readonly FailedProvider[]
}

/**
 * Reads the bills of the days, compares them with what was recorded, and stores the results. A provider whose bill cannot be
 * read does not keep the others from being compared.
 *
 * @throws CommandError if no bill can be read
 */
export async function reconcile(
  context: ReconcileContext,
  { provider, days }: ReconcileInput,
): Promise<ReconcileResult> {
  const stored = await leaveOutPruned(context, days)
  const providers = provider === undefined ? await listProviders(context, stored) : [provider]
  const reconciliations: Reconciliation[] = []
  const failed: FailedProvider[] = []
  for (const name of providers) {
    try {
      for (const bill of await readBills(context, name, stored))
        reconciliations.push(await compareAndStore(context, bill))
    } catch (error) {
      if (!(error instanceof SourceError)) throw error
      failed.push({ provider: name, reason: error.reason, message: error.message })
    }
  }
  if (reconciliations.length === 0) throw new CommandError(failed.map(({ message }) => message).join("\n"))
  return { reconciliations, failed }
}

/** Without their requests, pruned days would look as if everything was outside of the gateway. */
async function leaveOutPruned({ database, log }: ReconcileContext, days: Days): Promise<Days> {
  const before = await findPrunedBefore(database.query)
  if (before === undefined || before <= days.since) return days
  if (before >= days.until) {
    throw new CommandError(
      `the requests before ${before} were pruned, so their cost cannot be compared: choose later days`,
    )
  }
  log(`note: the requests before ${before} were pruned, so the comparison begins on that day`)
  return { ...days, since: before }
}

async function listProviders({ database, settings }: ReconcileContext, days: Days): Promise<readonly string[]> {
  const imported = await listImportedProviders(database.query, days)
  const providers = [...new Set([...listConfigured(settings), ...imported])]
  if (providers.length > 0) return providers
  const todo = BILLED_PROVIDERS.map((name) => `  ${name}: ${explainCredential(name)}`)
  const others = "  others: import a file: majordomo-gateway reconcile import FILE --provider NAME"
  throw new CommandError(
    ["there is no bill to compare with, because no credential is set:", ...todo, others].join("\n"),
  )
}

/** Returns the bill that the provider sends, or the imported ones if its credential is not set. */
async function readBills(context: ReconcileContext, provider: string, days: Days): Promise<readonly Bill[]> {
  const { database, settings, now, log, signal } = context
  const source = openSource(provider, settings, now)
  if (source !== undefined) return [await source.fetchBill(days, (text) => log(`${provider}: ${text}`), signal)]
  const bills = await readImportedLines(database.query, { provider, ...days })
  if (bills.length > 0) return bills
  throw new CommandError(
    `there is no bill of ${provider} for ${days.since} to before ${days.until}: ${explainCredential(provider)}`,
  )
}

/** Compares a bill with what was recorded on its days, and stores the result. */
export async function compareAndStore(context: ReconcileContext, bill: Bill): Promise<Reconciliation> {
  const { database, settings, actor, now } = context
  const { provider, since, until } = bill
  const { rows } = await readSlowly(database, askRecorded({ provider, since, until }))
  const notes = [...bill.notes, ...describeImported(await sumImported(database, { provider, since, until }))]
  const reconciliation = compareBills({ ...bill, notes }, readRecorded(rows, { provider }), {
    settledBefore: new Date(now() - settings.reconcile.settleMs),
    keys: getKeyAliases(provider, settings),
  })
  await database.transaction(async (query) => {
    await writeReconciliation(query, reconciliation)
    await recordChange(query, actor, {
      action: "reconcile",
      target: provider,
      after: { since, until, source: bill.source, billed: reconciliation.billed, recorded: reconciliation.recorded },
    })
  })
  return reconciliation
}

/** Imported requests did not pass the gateway, so they must not hide what it has missed: they are not on the recorded side. */
function describeImported({ requests, cost }: { readonly requests: number; readonly cost: string }): readonly string[] {
  if (requests === 0) return []
  const which = requests === 1 ? "1 imported request" : `${requests} imported requests`
  return [
    `${which} of these days ($${cost}) are not among the recorded ones: what was billed for them is outside the gateway.`,
  ]
}
