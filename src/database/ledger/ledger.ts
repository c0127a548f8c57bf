import type { Ledger, LogIntent } from "../../core/log-record.ts"
import type { JournalOptions } from "../../kit/log/journal-options.ts"
import type { Database } from "../_database.ts"
import { Accounts, type LedgerStats } from "./accounts.ts"
import { begin, LOST_MEMORY, restore } from "./begin.ts"
import { describeBlockers } from "./blockers.ts"
import { CardBook } from "./cards/card-book.ts"
import { storeNewCards } from "./cards/store.ts"
import { describeFailure } from "./data-errors.ts"
import { openDiskStore } from "./disk-store.ts"
import { createIntake, type Intake } from "./intake.ts"
import type { LateListener } from "./late.ts"
import { createOutage, type Log } from "./outage.ts"
import { storeRejected } from "./rejected.ts"
import { toMarkedJournal } from "./replay.ts"
import { MemorySettlement, type MemorySettlementOptions } from "./settle-memory.ts"
import { createShutdown, describeEnd } from "./shutdown.ts"
import { createMemoryStore, type Store } from "./store.ts"
import type { RestoredTotals, Totals } from "./totals.ts"
import { WRITER_TIMING, Writer, type WriterOptions, type WriterTiming } from "./writer.ts"
import { createWrittenReport, type WrittenListeners, type WrittenReport } from "./written.ts"

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
   * @param onKept is called when a kill of this process can no longer lose the intent, or when it cannot be kept
   */
  recordIntent(intent: LogIntent, onKept?: () => void): void
  /** Returns whether the row of a new request could not be kept, with `whenFull: "block"`. */
  isFull(): boolean
  stats(): LedgerStats
  /** The counts of the rows over the life of the directory. */
  totals(): Totals
  /** Writes what waits without lingering, for `deadlineMs` at most. */
  drain(deadlineMs: number): Promise<{ readonly drained: boolean; readonly waiting: number }>
  /** Syncs everything that was handed over, as far as the disk allows, before a process that ends at once. */
  flushSync(): void
  /** Rows that wait in the journal stay for the next start. Rows that wait only in memory are lost. */
  close(): Promise<void>
}

export interface LedgerOptions extends WrittenListeners, LateListener {
  readonly db: Database
  /** Used by this process alone; created when it does not exist. */
  readonly dir: string
  readonly settings: LedgerSettings
  /** Milliseconds since the epoch. */
  now(): number
  readonly log: Log
  /** Claims `dir` for this process. */
  readonly lock?: JournalOptions["lock"] | undefined
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
    return startLedger({ store, cards: new CardBook(), restored: await restore(store) }, options, timing)
  } catch (error) {
    await store.close(true)
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

function startLedger({ store, cards, restored }: Opened, options: LedgerOptions, timing: LedgerTiming): LedgerHandle {
  const accounts = new Accounts()
  const countWaiting = () => store.sources.reduce((sum, { waitingLines }) => sum + waitingLines, 0)
  const journal = toMarkedJournal(store.journal, options.dir)
  const settlement = createSettlement({ store, journal, restored, onSettled }, options, timing)
  const written = createWrittenReport(store, options, () => {
    intake.flush()
    return countWaiting()
  })
  const parts = { store, cards, journal, settlement, accounts, written, countWaiting, getGaps: () => intake.gaps }
  const writer = startWriter(parts, options, timing)
  const { gapIntervalMs } = timing
  const hooks = { cards, onAppended: () => writer.wake(), onLost: written.lost }
  const intake = createIntake({ ...options, ...hooks, store, accounts, gapIntervalMs, pendingGaps: restored.gaps })
  const shutdown = createShutdown({ store, accounts, intake, settlement })
  let isClosed = false

  function onSettled(written: number, lost: number): void {
    accounts.settleMemory(written, lost)
    if (lost > 0) intake.gaps.add(LOST_MEMORY, lost)
    store.saveCounters()
    intake.gaps.flush()
  }

  function stats(): LedgerStats {
    intake.flush() // so that all numbers are of one moment
    return accounts.toStats(shutdown.waitingOnDisk() ?? countWaiting(), store.journalBytes())
  }

  async function drain(deadlineMs: number) {
    intake.flush()
    intake.gaps.flush()
    await writer.drain(deadlineMs)
    return { drained: countWaiting() === 0, waiting: countWaiting() }
  }

  async function close(): Promise<void> {
    if (isClosed) return
    isClosed = true
    intake.flush()
    intake.close()
    await writer.close(CLOSE_TIMEOUT_MS)
    await shutdown.finish()
    options.log("info", describeEnd(stats(), accounts.deferred, options.dir))
  }

  begin({ store, accounts, intake, settlement, restored }, options)
  written.begun()
  if (countWaiting() > 0) {
    options.log("info", describeRecovered(countWaiting(), store.recovered.orphanedIntents.length, options.dir))
  }
  if (countWaiting() > 0 || restored.unsettled !== undefined) writer.wake()
  return {
    append: intake.append,
    recordIntent: intake.recordIntent,
    isFull: () => options.settings.whenFull === "block" && store.isFull(),
    stats,
    totals() {
      intake.flush()
      return accounts.toTotals()
    },
    drain,
    flushSync() {
      intake.flush()
      shutdown.abandonMemory()
      store.flushSync()
    },
    close,
  }
}

interface Opened {
  readonly store: Store
  readonly cards: CardBook
  readonly restored: RestoredTotals
}

type SettlementParts = Omit<Opened, "cards"> & Pick<WriterParts, "journal"> & Pick<MemorySettlementOptions, "onSettled">

function createSettlement(
  { store, journal, restored: { unsettled }, onSettled }: SettlementParts,
  { db }: LedgerOptions,
  { queryTimeoutMs: timeoutMs }: WriterTiming,
): MemorySettlement | undefined {
  const { memory, saveCounters: save } = store
  return memory && new MemorySettlement({ db, memory, journal: journal?.id, unsettled, timeoutMs, onSettled, save })
}

interface WriterParts extends Pick<WriterOptions, "journal" | "settlement"> {
  readonly store: Store
  readonly cards: CardBook
  readonly accounts: Accounts
  readonly written: WrittenReport
  countWaiting(): number
  getGaps(): Intake["gaps"]
}

function startWriter(
  { store, cards, journal, settlement, accounts, written, countWaiting, getGaps }: WriterParts,
  { db, dir, now, log, onBatch, onLate }: LedgerOptions,
  timing: WriterTiming,
): Writer {
  const outage = createOutage(log, now, countWaiting)
  return new Writer({
    db,
    sources: store.sources,
    journal,
    settlement,
    timing,
    prepare: () => storeNewCards(db, cards, timing.queryTimeoutMs),
    onLate,
    reject: (rows) => storeRejected(dir, rows, log),
    onSettled({ source, batch }, { rejected, vanished, unstored }, tookMs) {
      accounts.settle(batch.lines, { rejected, dropped: vanished + unstored, at: now() })
      if (vanished > 0) getGaps().add(`files of the journal in ${dir} are gone or were truncated`, vanished)
      if (unstored > 0) getGaps().add(`the database rejected them, and ${dir} cannot store them`, unstored)
      if (vanished + unstored > 0) store.saveCounters()
      store.releaseMemory()
      outage.wrote()
      written.settled(source, batch, batch.lines - batch.starts.length)
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
      cards.forgetStored()
      store.releaseMemory()
      accounts.stalledSince ??= now()
      accounts.lastError = describeFailure(error)
      outage.failed(error)
    },
  })
}

function describeRecovered(rows: number, orphaned: number, dir: string): string {
  const inFlight = orphaned === 0 ? "" : `; ${orphaned} of them are of requests that it did not finish`
  return `${rows === 1 ? "1 row" : `${rows} rows`} of an earlier process ${rows === 1 ? "waits" : "wait"} in ${dir}${inFlight}`
}
