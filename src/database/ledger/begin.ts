import type { Accounts } from "./accounts.ts"
import type { Intake } from "./intake.ts"
import type { LateListener } from "./late.ts"
import { toOrphanedRecord } from "./orphaned.ts"
import type { MemorySettlement } from "./settle-memory.ts"
import type { Store } from "./store.ts"
import { type RestoredTotals, restoreTotals, type StoredTotals } from "./totals.ts"

/** Why rows have no row of their own whose process died. */
export const LOST_MEMORY = "the process ended while only its memory had them"

/** Restores the counters that earlier processes stored. */
export async function restore({ recovered, journal }: Store): Promise<RestoredTotals> {
  const restored = restoreTotals(recovered.storedCounters, recovered.found, recovered.damagedIntents)
  const gaps = []
  // A process that died between the write of a gap row and that of its counters left both.
  for (const gap of restored.gaps) if (!(await journal?.holdsRow(gap.id))) gaps.push(gap)
  return { ...restored, gaps }
}

interface Beginning {
  readonly store: Store
  readonly accounts: Accounts
  readonly intake: Intake
  readonly settlement: MemorySettlement | undefined
  readonly restored: RestoredTotals
}

interface BeginOptions extends LateListener {
  readonly dir: string
  now(): number
}

/** Counts what earlier processes left, and stores the result before anything is added to it. */
export function begin(
  { store, accounts, intake, settlement, restored }: Beginning,
  { dir, now, onLate }: BeginOptions,
): void {
  const { recoveredLines, damagedIntents, orphanedIntents, lastWriteMs } = store.recovered
  const { totals, lostInMemory, lostOnDisk } = restored
  accounts.begin(totals, {
    waiting: recoveredLines,
    rejected: damagedIntents,
    dropped: lostInMemory + lostOnDisk,
  })
  if (lostInMemory > 0) intake.gaps.add(LOST_MEMORY, lostInMemory)
  if (lostOnDisk > 0) intake.gaps.add(`files of the journal in ${dir} are gone or cannot be read`, lostOnDisk)
  store.keepCounters(() => {
    const memory = store.inMemory()
    const { accepted, ...ended } = accounts.toTotals()
    // A row in memory whose intent is on the disk is not lost with the process, so it does not count yet.
    return {
      accepted: accepted - memory.guarded,
      ...ended,
      memory: memory.others,
      sent: memory.sent,
      moving: memory.moving,
      unsettled: settlement?.unsettled,
      running: store.running(),
      gaps: intake.gaps.pending(),
    } satisfies StoredTotals
  })
  store.saveCounters()
  const orphaned = orphanedIntents.map((intent) => toOrphanedRecord(intent, lastWriteMs ?? now()))
  for (const record of orphaned) intake.appendOwn(record)
  if (orphaned.length > 0) onLate?.(orphaned.map((record) => ({ record, isNew: true })))
  intake.gaps.flush()
}
