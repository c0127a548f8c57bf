import { createBatchQueue } from "../../kit/batch-queue.ts"
import type { AppendResult, BatchSource } from "../../kit/log/batch.ts"
import type { Entry, Journal } from "../../kit/log/journal.ts"
import type { SentRows } from "./sent-rows.ts"
import type { MarkedMemory } from "./settle-memory.ts"

/** Limit on rows in memory. */
export const MAX_MEMORY_BYTES = 32 << 20

/**
 * The result of storing a row, beside those of the journal. `memory`: only the memory has it. `deferred`: it is not kept,
 * but its intent is on the disk, so the next process writes a row that says so.
 */
export type StoreResult = AppendResult | "memory" | "deferred"

/** Rows that only the memory has. */
export interface MemoryRows {
  /** Their intents are on the disk, or they are gaps in the counters, so each of them has a row in any case. */
  readonly guarded: number
  /** They are lost if the process dies. */
  readonly others: number
  /** Those of them that a write is moving to the disk. */
  readonly moving: number
  /** Those of them that were sent to the database. */
  readonly sent: SentRows | undefined
}

/** Where rows wait for the writer. */
export interface Store {
  /** The sources of rows, in the order in which they are to be read. */
  readonly sources: readonly BatchSource[]
  /** The one of them that outlives the process. */
  readonly journal: Journal | undefined
  /** The size of the journal's files. */
  journalBytes(): number
  /** @param isGuarded whether the row is written by the next process if this one dies. As a rule its intent says so. */
  append(line: string, id: string | undefined, overLimit: boolean, isGuarded?: boolean): StoreResult
  /** Appends the entries, with one write where that is possible. Returns one result per row. */
  appendAll(entries: readonly Entry[]): readonly StoreResult[]
  inMemory(): MemoryRows
  /** The rows in memory, when a journal is beside them. */
  readonly memory: MarkedMemory | undefined
  /** The number of running requests whose intents the disk has rejected. */
  running(): number
  /** Returns whether the counters have to be stored, because the files do not show what `appendAll` did. */
  takeUnsaved(): boolean
  /** The batch that was read last is not being sent any more. */
  releaseMemory(): void
  /** Returns whether a new request should be rejected. The requests in flight still have room then. */
  isFull(): boolean
  flushSync(): void
  /** Calls `onLeft` with the id of each guarded row that leaves the memory. The counters are stored after it. */
  watchGuarded(onLeft: (id: string) => void): void
  /** The rows and intents that earlier processes left. */
  readonly recovered: RecoveredRows
  /** From now on `counts` is stored beside the journal. */
  keepCounters(counts: () => object): void
  /** Stores the counters before it returns, also on a full disk. */
  saveCounters(): void
  /** Tries the disk once more, then gives up the rows in memory. Returns how many those are. */
  abandonMemory(): MemoryRows
  /** Returns how many waiting rows the files have, by reading them. */
  countOnDisk(): Promise<number>
  /** @param isPending whether the next process has something to write even if no row waits */
  close(isPending: boolean): Promise<void>
}

type RecoveredRows = Pick<
  Journal,
  "recoveredLines" | "orphanedIntents" | "damagedIntents" | "lastWriteMs" | "found" | "storedCounters"
>

/** Creates a store in memory, for `ledger.journal: false`. */
export function createMemoryStore(maxBytes: number): Store {
  const limit = Math.min(MAX_MEMORY_BYTES, maxBytes)
  let isAbandoned = false
  const queue = createBatchQueue({ maxBytes: limit })
  return {
    sources: [queue],
    journal: undefined,
    journalBytes: () => 0,
    append: (line) => (isAbandoned ? "failed" : queue.append(line)),
    appendAll: (entries) => entries.flatMap(({ line, isIntent }) => (isIntent ? [] : [queue.append(line)])),
    inMemory: () => NO_ROWS, // nothing counts them, so nothing has to know
    memory: undefined,
    running: () => 0,
    takeUnsaved: () => false,
    releaseMemory: () => queue.release(),
    isFull: () => isNearlyFull(queue.waitingBytes, limit),
    flushSync: () => {},
    watchGuarded: () => {},
    recovered: NOTHING_RECOVERED,
    keepCounters: () => {},
    saveCounters: () => {},
    abandonMemory() {
      isAbandoned = true
      const others = queue.waitingLines
      queue.release()
      queue.remove(others)
      return { ...NO_ROWS, others }
    },
    countOnDisk: async () => 0,
    close: async () => {},
  }
}

const NO_ROWS: MemoryRows = { guarded: 0, others: 0, moving: 0, sent: undefined }

const NOTHING_RECOVERED: RecoveredRows = {
  recoveredLines: 0,
  orphanedIntents: [],
  damagedIntents: 0,
  lastWriteMs: undefined,
  found: { waiting: 0, afterEnd: 0, isCursorFound: true },
  storedCounters: undefined,
}

/** An eighth is reserved for the requests in flight. */
export function isNearlyFull(bytes: number, maxBytes: number): boolean {
  return bytes > maxBytes - maxBytes / 8
}
