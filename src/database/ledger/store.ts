import { type BatchQueue, createBatchQueue } from "../../kit/batch-queue.ts"
import type { AppendResult, BatchSource } from "../../kit/log/batch.ts"
import { type Entry, type Journal, type JournalOptions, openJournal } from "../../kit/log/journal.ts"
import type { Log } from "./outage.ts"

/** Limit on rows in memory while the disk rejects writes. */
const MAX_MEMORY_BYTES = 32 << 20

/** Where rows wait for the writer. */
export interface Store {
  /** The sources of rows, in the order in which they are to be read. */
  readonly sources: readonly BatchSource[]
  /** The one of them that outlives the process. */
  readonly journal: Journal | undefined
  /** The size of the journal's files. */
  journalBytes(): number
  append(line: string, id: string | undefined, overLimit: boolean): AppendResult
  /** Appends the entries, with one write where that is possible. Returns one result per row. */
  appendAll(entries: readonly Entry[]): readonly AppendResult[]
  /** Returns whether a new request should be rejected. The requests in flight still have room then. */
  isFull(): boolean
  flushSync(): void
  /** The rows and intents that earlier processes left. */
  readonly recovered: RecoveredRows
  close(): Promise<void>
}

type RecoveredRows = Pick<Journal, "recoveredLines" | "orphanedIntents" | "damagedIntents" | "lastWriteMs">

interface DiskStoreOptions extends JournalOptions {
  readonly log: Log
  readonly probeIntervalMs: number
}

/** Opens a store on the disk. While the disk rejects writes, rows overflow to memory, up to a limit. */
export async function openDiskStore(options: DiskStoreOptions): Promise<Store> {
  const journal = await openJournal(options)
  const overflow = createBatchQueue({ maxBytes: Math.min(MAX_MEMORY_BYTES, options.maxBytes) })
  const disk = watchDisk(journal, options)

  function append(line: string, id: string | undefined, overLimit: boolean): AppendResult {
    const result = journal.append(line, id, overLimit)
    if (result !== "failed") return result
    disk.failed()
    return overflow.append(line) === "kept" ? "kept" : "failed"
  }

  return {
    sources: [overflow, journal],
    journal,
    journalBytes: () => journal.bytes,
    append,
    appendAll(entries) {
      const rows = entries.filter(({ isIntent }) => !isIntent)
      if (journal.appendAll(entries) === "kept") return rows.map(() => "kept")
      // One by one, because some may find room. Intents are left out: rows need the room more.
      return rows.map(({ line, id }) => append(line, id, false))
    },
    isFull: () => disk.isFailing() || isNearlyFull(journal.bytes, journal.maxBytes),
    flushSync: () => journal.flushSync(),
    recovered: journal,
    async close() {
      disk.stop()
      await moveToDisk(overflow, journal)
      await journal.close()
    },
  }
}

/** Creates a store in memory, for `ledger.journal: false`. */
export function createMemoryStore(maxBytes: number): Store {
  const limit = Math.min(MAX_MEMORY_BYTES, maxBytes)
  const queue = createBatchQueue({ maxBytes: limit })
  return {
    sources: [queue],
    journal: undefined,
    journalBytes: () => 0,
    append: (line) => queue.append(line),
    appendAll: (entries) => entries.flatMap(({ line, isIntent }) => (isIntent ? [] : [queue.append(line)])),
    isFull: () => isNearlyFull(queue.waitingBytes, limit),
    flushSync: () => {},
    recovered: { recoveredLines: 0, orphanedIntents: [], damagedIntents: 0, lastWriteMs: undefined },
    close: async () => {},
  }
}

/** An eighth is reserved for the requests in flight. */
function isNearlyFull(bytes: number, maxBytes: number): boolean {
  return bytes > maxBytes - maxBytes / 8
}

/** Tries the disk once more before the process ends. */
async function moveToDisk(queue: BatchQueue, journal: Journal): Promise<void> {
  for (let batch = await queue.read(0); batch !== undefined; batch = await queue.read(0)) {
    const line = batch.array!.toString("utf8", 1, batch.array!.length - 1)
    if (journal.append(line) !== "kept") return
    queue.ack(batch)
  }
}

/** Logs when the disk starts to reject writes, and when it accepts them again, which it finds out by probing. */
function watchDisk(journal: Journal, { dir, log, probeIntervalMs }: DiskStoreOptions) {
  let timer: NodeJS.Timeout | undefined

  function failed(): void {
    if (timer !== undefined) return
    const { code, message } = journal.lastFailure as NodeJS.ErrnoException
    log("error", `the journal in ${dir} cannot be written (${code ?? message}): rows wait in memory, up to a limit`)
    timer = setInterval(() => journal.probe() && recovered(), probeIntervalMs).unref()
  }

  function recovered(): void {
    stop()
    log("info", `the journal in ${dir} can be written again`)
  }

  function stop(): void {
    clearInterval(timer)
    timer = undefined
  }

  return { failed, isFailing: () => timer !== undefined, stop }
}
