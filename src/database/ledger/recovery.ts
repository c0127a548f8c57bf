import { recoverSlots } from "../../kit/slots.ts"
import { type LedgerHandle, type LedgerOptions, type LedgerStats, openLedger } from "./ledger.ts"

export interface Recovery {
  /** Of all that was taken over, finished ones too. */
  stats(): LedgerStats
  close(): Promise<void>
}

export type RecoveryOptions = Omit<LedgerOptions, "dir" | "lock"> & { readonly root: string }

/** Brings the rows to the database that processes left behind whose place nobody has taken. */
export function startRecovery({ root, ...options }: RecoveryOptions): Recovery {
  const adopted: LedgerHandle[] = []
  const adopting = recoverSlots({
    root,
    isLeft: (names) => names.some((name) => name.endsWith(".jsonl") && name !== "rejected.jsonl"),
    async open({ dir, lock }) {
      const ledger = await openLedger({ ...options, dir, lock: async () => lock })
      adopted.push(ledger)
      return ledger
    },
    onError: (error) => options.log("error", `trouble while looking for journals left behind: ${error.message}`),
  })
  return {
    stats: () => addLedgerStats(adopted.map((ledger) => ledger.stats())),
    close: () => adopting.close(),
  }
}

export function addLedgerStats(all: readonly LedgerStats[]): LedgerStats {
  const sum = (pick: (stats: LedgerStats) => number) => all.reduce((total, stats) => total + pick(stats), 0)
  return {
    accepted: sum((stats) => stats.accepted),
    written: sum((stats) => stats.written),
    waiting: sum((stats) => stats.waiting),
    rejected: sum((stats) => stats.rejected),
    dropped: sum((stats) => stats.dropped),
    journalBytes: sum((stats) => stats.journalBytes),
    batches: sum((stats) => stats.batches),
    lastWrittenAt: all.reduce<number | undefined>((last, { lastWrittenAt }) => later(last, lastWrittenAt), undefined),
    lastError: all.find(({ lastError }) => lastError !== undefined)?.lastError,
  }
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a
}
