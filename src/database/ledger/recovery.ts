import { JOURNAL_EXTENSION } from "../../kit/log/journal.ts"
import { numberOfSegment } from "../../kit/log/segment.ts"
import { recoverSlots } from "../../kit/log/slots.ts"
import { addLedgerStats, type LedgerStats } from "./accounts.ts"
import { type LedgerHandle, type LedgerOptions, openLedger } from "./ledger.ts"

export interface Recovery {
  /** The sums over all recovered journals, including those that are finished. */
  stats(): LedgerStats
  close(): Promise<void>
}

/** Writes the rows of processes that have ended and whose slot no other process has claimed. */
export function startRecovery({
  root,
  ...options
}: Omit<LedgerOptions, "dir" | "lock"> & { readonly root: string }): Recovery {
  const recovered: LedgerHandle[] = []
  const recovery = recoverSlots({
    root,
    isOrphaned: (names) => names.some((name) => numberOfSegment(name, JOURNAL_EXTENSION) !== undefined),
    async open({ dir, lock }) {
      const ledger = await openLedger({ ...options, dir, lock: async () => lock })
      recovered.push(ledger)
      return ledger
    },
    onError: (error) => options.log("error", `an abandoned journal cannot be recovered: ${error.message}`),
  })
  return {
    stats: () => addLedgerStats(recovered.map((ledger) => ledger.stats())),
    close: () => recovery.close(),
  }
}
