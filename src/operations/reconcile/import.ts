import { listConfigured } from "../../config/billing-credentials.ts"
import { CommandError } from "../../core/errors.ts"
import type { Reconciliation } from "../../core/reconciliation.ts"
import { recordChange } from "../../database/access/audit.ts"
import { readImportedLines, replaceImportedLines } from "../../database/reconciliations.ts"
import { BillFileError } from "../../reconcile/import/bill-file-error.ts"
import { type BillFileOptions, readBillFile } from "../../reconcile/import/index.ts"
import { compareAndStore, type ReconcileContext } from "./reconcile.ts"

/**
 * Reads a bill from a file, stores its lines in place of those that were imported for the same days, and compares all lines
 * of these days with what was recorded. Some consoles export costs and tokens as two files, which complete each other.
 *
 * @throws CommandError if the file cannot be read, with the line and the column
 */
export async function importBill(
  context: ReconcileContext & { readonly file: AsyncIterable<Uint8Array> },
  options: BillFileOptions,
): Promise<Reconciliation> {
  const { database, settings, actor, file, log } = context
  const bill = await readBillFile(file, options).catch((error: unknown) => {
    throw error instanceof BillFileError ? new CommandError(error.message) : error
  })
  const { provider, account, since, until } = bill
  const lines = await database.transaction(async (query) => {
    await replaceImportedLines(query, bill)
    await recordChange(query, actor, {
      action: "reconcile.import",
      target: provider,
      after: { account: account ?? null, since, until, lines: bill.lines.length },
    })
    const stored = await readImportedLines(query, { provider, since, until })
    return stored.find((each) => each.account === account)?.lines ?? []
  })
  if (listConfigured(settings).some((name) => name === provider)) {
    log(`note: the next reconcile of ${provider} reads the bill from the provider again, because its credential is set`)
  }
  return compareAndStore(context, { ...bill, lines })
}
