import type { Accounts, LedgerStats } from "./accounts.ts"
import type { Intake } from "./intake.ts"
import type { MemorySettlement } from "./settle-memory.ts"
import type { Store } from "./store.ts"

interface Shutdown {
  /** Moves the rows in memory to the disk. Those that find no room are dropped and counted. Blocks. */
  abandonMemory(): void
  /** The same; then compares what waits with what the files have, and closes the store. */
  finish(): Promise<void>
  /** The rows that the files have, once `finish` has read them. */
  waitingOnDisk(): number | undefined
}

interface ShutdownParts {
  readonly store: Store
  readonly accounts: Accounts
  readonly intake: Intake
  readonly settlement: MemorySettlement | undefined
}

/** Ends a ledger so that its last numbers say what is on the disk. */
export function createShutdown({ store, accounts, intake, settlement }: ShutdownParts): Shutdown {
  let onDisk: number | undefined

  function abandonMemory(): void {
    const { guarded, others, sent } = store.abandonMemory()
    const sentRows = sent === undefined ? 0 : sent.to - sent.from
    accounts.defer(guarded + sentRows)
    if (sent !== undefined) settlement!.unsettled = sent
    drop(others - sentRows, "the gateway ended while they waited only in its memory")
    store.saveCounters() // a gap is in the counters before its row is in the journal
    intake.gaps.flush()
    store.saveCounters()
  }

  async function finish(): Promise<void> {
    abandonMemory()
    const waiting = store.sources.reduce((sum, { waitingLines }) => sum + waitingLines, 0)
    onDisk = Math.min(waiting, await store.countOnDisk())
    drop(waiting - onDisk, "files of the journal are gone")
    store.saveCounters()
    await store.close(intake.gaps.pending().length > 0 || settlement?.unsettled !== undefined)
  }

  /** Counts rows that were accepted before. */
  function drop(rows: number, reason: string): void {
    if (rows === 0) return
    accounts.dropped += rows
    intake.gaps.add(reason, rows)
  }

  return { abandonMemory, finish, waitingOnDisk: () => onDisk }
}

/** Returns the last log line of a ledger. */
export function describeEnd(
  { accepted, written, waiting, rejected, dropped }: LedgerStats,
  deferred: number,
  dir: string,
): string {
  const sum = `${written} written + ${waiting} waiting + ${rejected} rejected + ${dropped} dropped`
  const where = waiting === 0 ? "" : `; the waiting rows are in ${dir}`
  const intents =
    deferred === 0
      ? ""
      : `; ${deferred} more rows are not known to be stored, and are counted or written at the next start`
  return `ledger: ${accepted} accepted = ${sum}${where}${intents}`
}
