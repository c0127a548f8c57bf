import type { JournalRecord, Ledger, LogIntent, LogRecord } from "../../core/log-record.ts"
import type { Entry } from "../../kit/log/journal.ts"
import type { Accounts } from "./accounts.ts"
import type { CardBook } from "./cards/card-book.ts"
import { describeFailure } from "./data-errors.ts"
import { createGaps, type Gap } from "./gaps.ts"
import type { Log } from "./outage.ts"
import { toIntentLine, toLine, toMinimalLine } from "./serialize.ts"
import type { Store, StoreResult } from "./store.ts"
import { createTickBatch } from "./tick-batch.ts"

/** The way of a row into the store. */
export interface Intake extends Ledger {
  recordIntent(intent: LogIntent, onKept?: () => void): void
  /** Appends a row of the ledger itself, beyond the limit of the store. */
  appendOwn(record: LogRecord): StoreResult
  /** Hands over what the current tick has collected. */
  flush(): void
  readonly gaps: ReturnType<typeof createGaps>
  /** Every later row is dropped. */
  close(): void
}

interface IntakeOptions {
  readonly store: Store
  readonly accounts: Accounts
  readonly cards: CardBook
  readonly gapIntervalMs: number
  /** The gaps that earlier processes left. */
  readonly pendingGaps: readonly Gap[]
  now(): number
  readonly log: Log
  /** Rows wait in the store. Cheap. */
  onAppended(): void
  /** A row was not kept. */
  onLost(id: string): void
}

export function createIntake(options: IntakeOptions): Intake {
  const { store, accounts, cards: book, gapIntervalMs, pendingGaps: pending, now, log, onAppended, onLost } = options
  let isClosed = false
  const batch = createTickBatch(appendBatch)
  const onChange = store.saveCounters
  const gaps = createGaps({ now, log, intervalMs: gapIntervalMs, pending, append: appendOwn, onChange })
  store.watchGuarded(gaps.left)

  function append(record: JournalRecord, onKept?: () => void, when: "soon" | "now" = "soon"): void {
    const line = isClosed ? undefined : trySerializing(() => serialize(record, book), "a row cannot be serialized", log)
    if (line === undefined) {
      drop(isClosed ? "the gateway is closing" : "it cannot be serialized")
      store.saveCounters()
      onLost(record.id)
      onKept?.()
      return
    }
    batch.add({ line, id: record.id, isIntent: false }, onKept)
    if (when === "now") batch.flush()
  }

  function recordIntent(intent: LogIntent, onKept?: () => void): void {
    const what = "an intent cannot be serialized"
    const line = isClosed ? undefined : trySerializing(() => toIntentLine(intent), what, log)
    if (line === undefined) onKept?.()
    else batch.add({ line, id: intent.id, isIntent: true }, onKept)
  }

  function appendBatch(entries: readonly Entry[]): void {
    let row = -1
    for (const result of store.appendAll(entries)) {
      row++
      if (result === "kept" || result === "memory") {
        accounts.accepted++
        continue
      }
      if (result === "deferred") accounts.deferred++
      else drop(result === "full" ? "the journal is full" : "the disk rejects writes")
      onLost(entries.filter(({ isIntent }) => !isIntent)[row]!.id)
    }
    if (store.takeUnsaved()) store.saveCounters()
    onAppended()
  }

  function appendOwn(record: LogRecord): StoreResult {
    // A gap is in the counters until its row is kept, so a memory that has the row may be lost.
    const result = store.append(serialize(record, book), record.id, true, record.outcome === "gap")
    if (result === "kept" || result === "memory") {
      accounts.accepted++
      onAppended()
    }
    return result
  }

  function drop(reason: string): void {
    accounts.drop()
    gaps.add(reason)
  }

  return {
    append,
    recordIntent,
    appendOwn,
    flush: batch.flush,
    gaps,
    close() {
      isClosed = true
    },
  }
}

function trySerializing(serializeIt: () => string, failure: string, log: Log): string | undefined {
  try {
    return serializeIt()
  } catch (error) {
    log("error", `${failure}: ${describeFailure(error)}`)
    return undefined
  }
}

/** A longer row is written without its bodies. The embedded database takes messages of up to 64 MB. */
const MAX_LINE_BYTES = 48 << 20
const MAX_BYTES_PER_UNIT = 3

function serialize(record: JournalRecord, cards: CardBook): string {
  try {
    // The statements that apply notes about jobs read certificates and usage.
    const line = toLine(record, record.job === undefined ? cards.find(record) : undefined)
    const isShort = line.length <= MAX_LINE_BYTES / MAX_BYTES_PER_UNIT || Buffer.byteLength(line) <= MAX_LINE_BYTES
    return isShort ? line : toLineWithoutBodies(record)
  } catch {
    return toMinimalLine(record, "stored without its details: they cannot be serialized")
  }
}

function toLineWithoutBodies(record: LogRecord): string {
  const message = `stored without its bodies: the row would have more than ${MAX_LINE_BYTES >> 20} MB; lower logging.max_body_size`
  return toLine({
    ...record,
    error_message: record.error_message ?? message,
    request_body: undefined,
    response_body: undefined,
  })
}
