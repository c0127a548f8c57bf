import type { Ledger, LogIntent } from "../../core/log-record.ts"
import type { Database } from "../_database.ts"
import { Accounts, type LedgerStats } from "./accounts.ts"
import { describeBlockers } from "./blockers.ts"
import { describeFailure } from "./data-errors.ts"
import { createIntake } from "./intake.ts"
import { readJournalId } from "./journal-id.ts"
import { toOrphanedRecord } from "./orphaned.ts"
import { createOutage, type Log } from "./outage.ts"
import { storeRejected } from "./rejected.ts"
import type { MarkedJournal } from "./replay.ts"
import { createMemoryStore, openDiskStore, type Store } from "./store.ts"
import { WRITER_TIMING, Writer, type WriterTiming } from "./writer.ts"

export type { LedgerStats } from "./accounts.ts"

const CLOSE_TIMEOUT_MS = 1000

interface LedgerSettings {
  /** Without a journal, rows wait in memory only. */
  readonly journal: boolean
  readonly syncIntervalMs: number
  readonly maxJournalBytes: number
  readonly whenFull: "drop" | "block"
}

export interface LedgerHandle extends Ledger {
  /**
   * Records that a request is about to be forwarded. If this process dies before `append` of the same id, the next
   * process writes a row that says so.
   */
  recordIntent(intent: LogIntent): void
  /** Returns whether the row of a new request could not be kept, with `whenFull: "block"`. */
  isFull(): boolean
  stats(): LedgerStats
  /** Writes what waits without lingering, for `deadlineMs` at most. */
  drain(deadlineMs: number): Promise<{ readonly drained: boolean; readonly waiting: number }>
  /** Syncs everything that was handed over, as far as the disk allows, before a process that ends at once. */
  flushSync(): void
  /** Rows that wait in the journal stay for the next start. Rows that wait only in memory are lost. */
  close(): Promise<void>
}

export interface LedgerOptions {
  readonly db: Database
  /** Used by this process alone; created when it does not exist. */
  readonly dir: string
  readonly settings: LedgerSettings
  /** Milliseconds since the epoch. */
  now(): number
  readonly log: Log
  /** Claims `dir` for this process. */
  lock?(dir: string): Promise<{ release(): Promise<void> }>
  /** A batch of `rows` rows was settled. */
  onBatch?(rows: number, tookMs: number): void
  readonly timing?: Partial<LedgerTiming>
}

interface LedgerTiming extends WriterTiming {
  readonly gapIntervalMs: number
  readonly probeIntervalMs: number
}

/** Opens the ledger of a directory, and starts to write what earlier processes left in it. */
export async function openLedger(options: LedgerOptions): Promise<LedgerHandle> {
  const timing = { ...WRITER_TIMING, gapIntervalMs: 60_000, probeIntervalMs: 1000, ...options.timing }
  const store = await openStore(options, timing)
  try {
    return startLedger(store, options, timing)
  } catch (error) {
    await store.close()
    throw error
  }
}

function openStore({ dir, settings, lock, log }: LedgerOptions, timing: LedgerTiming): Promise<Store> | Store {
  if (!settings.journal) return createMemoryStore(settings.maxJournalBytes)
  return openDiskStore({
    dir,
    maxBytes: settings.maxJournalBytes,
    syncIntervalMs: settings.syncIntervalMs,
    probeIntervalMs: timing.probeIntervalMs,
    lock,
    onDamaged: (sentence) => log("error", sentence),
    onError: (error, doing) => log("error", `${doing} failed: ${describeFailure(error)}`),
    log,
  })
}

function startLedger(store: Store, options: LedgerOptions, timing: LedgerTiming): LedgerHandle {
  const { settings, now, log } = options
  const accounts = new Accounts()
  const countWaiting = () => store.sources.reduce((sum, { waitingLines }) => sum + waitingLines, 0)
  const writer = startWriter(store, accounts, countWaiting, options, timing)
  const intake = createIntake({
    store,
    accounts,
    gapIntervalMs: timing.gapIntervalMs,
    now,
    log,
    onAppended: () => writer.wake(),
  })
  let isClosed = false

  function stats(): LedgerStats {
    intake.flush() // so that all numbers are of one moment
    return accounts.toStats(countWaiting(), store.journalBytes())
  }

  async function drain(deadlineMs: number) {
    intake.flush()
    intake.flushGaps()
    await writer.drain(deadlineMs)
    const waiting = countWaiting()
    return { drained: waiting === 0, waiting }
  }

  async function close(): Promise<void> {
    if (isClosed) return
    isClosed = true
    intake.flush()
    intake.flushGaps()
    intake.close()
    await writer.close(CLOSE_TIMEOUT_MS)
    await store.close()
    const { accepted, written, waiting, rejected, dropped } = stats()
    const sum = `${written} written + ${waiting} waiting + ${rejected} rejected + ${dropped} dropped`
    log("info", `ledger: ${accepted} accepted = ${sum}`)
  }

  accounts.accepted += store.recovered.recoveredLines + store.recovered.damagedIntents
  accounts.rejected += store.recovered.damagedIntents
  for (const intent of store.recovered.orphanedIntents) {
    intake.appendOwn(toOrphanedRecord(intent, store.recovered.lastWriteMs ?? now()))
  }
  if (countWaiting() > 0) {
    log("info", describeRecovered(countWaiting(), store.recovered.orphanedIntents.length, options.dir))
    writer.wake()
  }
  return {
    append: intake.append,
    recordIntent: intake.recordIntent,
    isFull: () => settings.whenFull === "block" && store.isFull(),
    stats,
    drain,
    flushSync() {
      intake.flush()
      store.flushSync()
    },
    close,
  }
}

function startWriter(
  store: Store,
  accounts: Accounts,
  countWaiting: () => number,
  { db, dir, now, log, onBatch }: LedgerOptions,
  timing: WriterTiming,
): Writer {
  const outage = createOutage(log, now, countWaiting)
  return new Writer({
    db,
    sources: store.sources,
    journal: toMarkedJournal(store, dir),
    timing,
    reject: (rows) => storeRejected(dir, rows, log),
    onSettled(batch, rejected, tookMs) {
      accounts.settle(batch.lines, rejected, now())
      outage.wrote()
      onBatch?.(batch.lines, tookMs)
    },
    onSlow(isOver) {
      accounts.stalledSince ??= now() - timing.slowMs
      const report = (by: string | undefined) => {
        if (by === undefined || isOver()) return
        accounts.lastError = "another transaction holds a lock"
        outage.blocked(by)
      }
      describeBlockers(db).then(report, () => {}) // the batch itself reports why the database does not answer
    },
    onSkipped(rows) {
      log("info", `${rows === 1 ? "1 row" : `${rows} rows`} in ${dir} had been written before: not written again`)
    },
    onFailure(error) {
      accounts.stalledSince ??= now()
      accounts.lastError = describeFailure(error)
      outage.failed(error)
    },
  })
}

function toMarkedJournal({ journal }: Store, dir: string): MarkedJournal | undefined {
  const id = journal === undefined ? undefined : readJournalId(dir)
  if (journal === undefined || id === undefined) return undefined
  const { recoveredLines } = journal
  return { id, source: journal, recoveredLines, holdsRow: (row) => journal.holdsRow(row) }
}

function describeRecovered(rows: number, orphaned: number, dir: string): string {
  const inFlight = orphaned === 0 ? "" : `; ${orphaned} of them are of requests that it did not finish`
  return `${rows === 1 ? "1 row" : `${rows} rows`} of an earlier process ${rows === 1 ? "waits" : "wait"} in ${dir}${inFlight}`
}
