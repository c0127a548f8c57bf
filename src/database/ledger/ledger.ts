import { appendFileSync } from "node:fs"
import { join } from "node:path"
import type { Ledger, LogIntent, LogRecord } from "../../core/call.ts"
import type { Entry } from "../../kit/journal.ts"
import type { AppendResult } from "../../kit/spool.ts"
import type { Database } from "../_database.ts"
import { describeFailure } from "./data-errors.ts"
import { createGaps } from "./gaps.ts"
import { toOrphanedRecord } from "./orphaned.ts"
import { createOutage, type Log } from "./outage.ts"
import { toIntentLine, toLine, toSmallestLine } from "./serialize.ts"
import { createMemoryStore, openDiskStore } from "./store.ts"
import { createTickBatch } from "./tick-batch.ts"
import { createWriter, type RejectedRow, WRITER_TIMING, type WriterTiming } from "./writer.ts"

const CLOSE_PATIENCE_MS = 1000

export interface LedgerSettings {
  /** False: rows wait in memory only. */
  readonly journal: boolean
  readonly syncIntervalMs: number
  readonly maxJournalBytes: number
  readonly whenFull: "drop" | "block"
}

/** Rows since this ledger was opened: accepted = written + waiting + rejected + dropped, at every moment. */
export interface LedgerStats {
  /** Handed over, with what earlier processes left to be written. */
  readonly accepted: number
  readonly written: number
  readonly waiting: number
  /** Refused by the database in every form, or broken on disk: see `rejected.jsonl`. */
  readonly rejected: number
  /** No room, or no disk. */
  readonly dropped: number
  readonly journalBytes: number
  /** Statements' worth of rows that were settled. */
  readonly batches: number
  /** Of the last batch, ms since the epoch. */
  readonly lastWrittenAt: number | undefined
  /** Why the last batch that failed failed; undefined when one was written since. */
  readonly lastError: string | undefined
}

export interface LedgerHandle extends Ledger {
  /** The head of a request is forwarded: if this process dies before `append` of the same id, the next one writes its row. */
  recordIntent(start: LogIntent): void
  /** With `whenFull: "block"`: a new request's row could not be kept. */
  isFull(): boolean
  stats(): LedgerStats
  /** Writes what waits without lingering, for `deadlineMs` at most. */
  drain(deadlineMs: number): Promise<{ readonly drained: boolean; readonly waiting: number }>
  /** For a process that ends at once: what was handed over is on the disk, if it can be, when this returns. */
  flushSync(): void
  /** What waits in the journal stays for the next start; what waits in memory is gone. */
  close(): Promise<void>
}

export interface LedgerOptions {
  readonly db: Database
  /** Of this process alone; made if it is not there. */
  readonly dir: string
  readonly settings: LedgerSettings
  /** Milliseconds since the epoch. */
  now(): number
  readonly log: Log
  /** Takes `dir` for this process. */
  lock?(dir: string): Promise<{ release(): Promise<void> }>
  /** A batch of so many rows was settled. */
  onBatch?(rows: number, tookMs: number): void
  readonly timing?: Partial<WriterTiming & { readonly gapIntervalMs: number; readonly probeIntervalMs: number }>
}

/** Opens the way of rows to the database; replays what an earlier process left in `dir`. */
export async function openLedger(options: LedgerOptions): Promise<LedgerHandle> {
  const { db, dir, settings, now, log } = options
  const timing = { ...WRITER_TIMING, gapIntervalMs: 60_000, probeIntervalMs: 1000, ...options.timing }
  const store = settings.journal
    ? await openDiskStore({
        dir,
        maxBytes: settings.maxJournalBytes,
        syncIntervalMs: settings.syncIntervalMs,
        probeIntervalMs: timing.probeIntervalMs,
        lock: options.lock,
        onError: (error, doing) => log("error", `trouble while ${doing}: ${describeFailure(error)}`),
        log,
      })
    : createMemoryStore(settings.maxJournalBytes)
  const count = { accepted: store.replayedLines, written: 0, rejected: 0, dropped: 0, batches: 0 }
  let lastWrittenAt: number | undefined
  let lastError: string | undefined
  let isClosed = false

  const countWaiting = () => store.spools.reduce((sum, spool) => sum + spool.waitingLines, 0)
  const outage = createOutage(log, now, countWaiting)
  const gaps = createGaps({
    now,
    log,
    intervalMs: timing.gapIntervalMs,
    keep: (record) => keep(record, true) === "kept",
  })
  const writer = createWriter({
    db,
    spools: store.spools,
    timing,
    reject: (rows) => keepRejected(dir, rows, log),
    onSettled(batch, rejected, tookMs) {
      count.written += batch.lines - rejected
      count.rejected += rejected
      count.batches++
      lastWrittenAt = now()
      lastError = undefined
      outage.wrote()
      options.onBatch?.(batch.lines, tookMs)
    },
    onFailure(error) {
      lastError = describeFailure(error)
      outage.failed(error)
    },
  })

  const turn = createTickBatch(keepTurn)

  function keep(record: LogRecord, overLimit: boolean): AppendResult {
    const kept = store.append(serialise(record), record.id, overLimit)
    if (kept === "kept") {
      count.accepted++
      writer.wake()
    }
    return kept
  }

  function append(record: LogRecord, onKept?: () => void, when: "soon" | "now" = "soon"): void {
    const line = isClosed ? undefined : tryTo(() => serialise(record), "a row cannot be serialised")
    if (line === undefined) {
      drop(isClosed ? "the gateway is closing" : "it cannot be serialised")
      onKept?.()
      return
    }
    turn.add({ line, id: record.id, begins: false }, onKept)
    if (when === "now") turn.flush()
  }

  function begin(start: LogIntent): void {
    const line = isClosed ? undefined : tryTo(() => toIntentLine(start), "the begin of a row cannot be serialised")
    if (line !== undefined) turn.add({ line, id: start.id, begins: true })
  }

  /** All that was handed over in one turn of the event loop, by one write. */
  function keepTurn(entries: readonly Entry[]): void {
    for (const kept of store.appendAll(entries)) {
      if (kept === "kept") count.accepted++
      else drop(kept === "full" ? "the journal is full" : "the disk refuses to keep it")
    }
    writer.wake()
  }

  function tryTo(serialiseIt: () => string, otherwise: string): string | undefined {
    try {
      return serialiseIt()
    } catch (error) {
      log("error", `${otherwise}: ${describeFailure(error)}`)
      return undefined
    }
  }

  function drop(reason: string): void {
    count.accepted++
    count.dropped++
    gaps.add(reason)
  }

  function stats(): LedgerStats {
    turn.flush() // so that the four numbers are of one moment
    return { ...count, waiting: countWaiting(), journalBytes: store.journalBytes(), lastWrittenAt, lastError }
  }

  async function drain(deadlineMs: number) {
    turn.flush()
    gaps.flush()
    await writer.drain(deadlineMs)
    const waiting = countWaiting()
    return { drained: waiting === 0, waiting }
  }

  function rescue(): void {
    turn.flush()
    store.syncNow()
  }

  async function close(): Promise<void> {
    if (isClosed) return
    turn.flush()
    gaps.flush()
    isClosed = true
    await writer.close(CLOSE_PATIENCE_MS)
    await store.close()
    const { accepted, written, waiting, rejected, dropped } = stats()
    log(
      "info",
      `ledger: ${accepted} accepted = ${written} written + ${waiting} waiting + ${rejected} rejected + ${dropped} dropped`,
    )
  }

  for (const begun of store.unended) keep(toOrphanedRecord(begun, store.lastWriteMs ?? now()), true)
  const left = countWaiting()
  if (left > 0) {
    log(
      "info",
      `${left} rows of an earlier run wait in ${dir}, ${store.unended.length} of them of requests that it did not end`,
    )
    writer.wake()
  }
  return {
    append: append,
    recordIntent: begin,
    isFull: () => settings.whenFull === "block" && store.isFull(),
    stats,
    drain,
    flushSync: rescue,
    close,
  }
}

function serialise(record: LogRecord): string {
  try {
    return toLine(record)
  } catch {
    return toSmallestLine(record, "stored without its details: they cannot be serialised")
  }
}

/** One JSON line each, beside the journal, for a person to look at. */
function keepRejected(dir: string, rows: readonly RejectedRow[], log: Log): void {
  const file = join(dir, "rejected.jsonl")
  const what = `${rows.length} ${rows.length === 1 ? "row was" : "rows were"} refused by the database in every form`
  try {
    appendFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""), { mode: 0o600 })
    log("error", `${what} (${rows[0]!.reason}): see ${file}`)
  } catch (error) {
    log("error", `${what} (${rows[0]!.reason}), and ${file} cannot be written: ${describeFailure(error)}`)
  }
}
