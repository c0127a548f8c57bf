import { JOURNAL_EXTENSION } from "../../kit/log/journal.ts"
import { numberOfSegment } from "../../kit/log/segment.ts"
import { recoverSlots } from "../../kit/log/slots.ts"
import { addLedgerStats, type LedgerStats } from "./accounts.ts"
import { type LedgerHandle, type LedgerOptions, openLedger } from "./ledger.ts"
import type { WrittenListeners } from "./written.ts"

export interface Recovery {
  /** The sums over all recovered journals. Of those that are finished, only what became of their rows. */
  stats(): LedgerStats
  close(): Promise<void>
}

interface RecoveryOptions extends Omit<LedgerOptions, "dir" | "lock" | keyof WrittenListeners> {
  readonly root: string
  /** All rows of an abandoned slot are written, and the slot is still claimed. Its failures are reported. */
  onRecovered?(dir: string): Promise<void>
}

/** Writes the rows of processes that have ended and whose slot no other process has claimed. */
export function startRecovery({ root, onRecovered, ...options }: RecoveryOptions): Recovery {
  let running: LedgerHandle | undefined
  let finished: LedgerStats = addLedgerStats([])
  let isClosing = false
  const recovery = recoverSlots({
    root,
    isOrphaned: (names) => names.some((name) => numberOfSegment(name, JOURNAL_EXTENSION) !== undefined),
    async open({ dir, lock }) {
      const ledger = await openLedger({ ...options, dir, lock: async () => lock })
      running = ledger
      return { drain: ledger.drain, close: () => finish(ledger, dir) }
    },
    onError: (error) => options.log("error", `an abandoned journal cannot be recovered: ${error.message}`),
  })

  async function finish(ledger: LedgerHandle, dir: string): Promise<void> {
    await ledger.close()
    if (running !== ledger) return
    running = undefined
    const stats = ledger.stats()
    finished = addLedgerStats([finished, isClosing ? stats : toFinished(stats)])
    if (stats.waiting === 0) await onRecovered?.(dir)
  }

  return {
    stats: () => addLedgerStats(running === undefined ? [finished] : [finished, running.stats()]),
    close() {
      isClosing = true
      return recovery.close()
    },
  }
}

/** Rows that still wait belong to the directory again: whoever opens it next counts them. */
function toFinished(stats: LedgerStats): LedgerStats {
  return { ...stats, accepted: stats.accepted - stats.waiting, waiting: 0, journalBytes: 0, lastError: undefined }
}
