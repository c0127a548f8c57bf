import { join } from "node:path"
import { type VerifyResult as Ledger, repairRollups, verifyLedger } from "../database/verify.ts"
import type { Context } from "./context.ts"

/** `accepted = written + waiting + rejected + dropped + lost`, in rows. */
export interface VerifyResult extends Omit<Ledger, "wrongDays"> {
  /** No row is lost, and the rollups agree with the rows. */
  readonly balanced: boolean
  /** Days (UTC, `2026-11-28`) whose rollups differ from the rows. */
  readonly wrong_days: readonly string[]
  /** Days whose rollups were wrong and were computed again. */
  readonly repaired_days: readonly string[]
}

/** Compares journals, rows and rollups. `repair` computes the rollups again from the rows where they differ. */
export async function verify(
  { database, settings }: Context<"database" | "settings">,
  { repair }: { readonly repair: boolean },
): Promise<VerifyResult> {
  const journals = join(settings.storage.dataDir, "journal")
  const found = await verifyLedger(database, journals)
  const repairedDays = repair ? found.wrongDays : []
  if (repairedDays.length > 0) await repairRollups(database, repairedDays)
  const { wrongDays, ...ledger } = repairedDays.length > 0 ? await verifyLedger(database, journals) : found
  const balanced = ledger.lost === 0 && wrongDays.length === 0
  return { balanced, ...ledger, wrong_days: wrongDays, repaired_days: repairedDays }
}
