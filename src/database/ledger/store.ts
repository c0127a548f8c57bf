import { type BatchQueue, createBatchQueue } from "../../kit/batch-queue.ts"
import { type Entry, type Journal, type JournalOptions, openJournal } from "../../kit/journal.ts"
import type { AppendResult, Spool } from "../../kit/spool.ts"
import type { Log } from "./outage.ts"

/** Memory that rows may take when there is no disk for them. */
const MAX_MEMORY_BYTES = 32 << 20

/** Where rows wait for the writer. */
export interface Store {
  /** In the order in which they are to be read. */
  readonly spools: readonly Spool[]
  /** Files, in bytes. */
  journalBytes(): number
  append(line: string, id: string | undefined, overLimit: boolean): AppendResult
  /** By one write where it can be; what is returned says what became of each row. */
  appendAll(entries: readonly Entry[]): readonly AppendResult[]
  /** So full that a new request should not be taken: what is in flight still has room. */
  isFull(): boolean
  syncNow(): void
  /** Left by earlier processes. */
  readonly replayedLines: number
  readonly unended: readonly string[]
  readonly lastWriteMs: number | undefined
  close(): Promise<void>
}

export interface DiskStoreOptions extends JournalOptions {
  readonly log: Log
  readonly probeIntervalMs: number
}

/** On disk; in memory, within bounds, for as long as the disk refuses. */
export async function openDiskStore(options: DiskStoreOptions): Promise<Store> {
  const journal = await openJournal(options)
  const overflow = createBatchQueue({ maxBytes: Math.min(MAX_MEMORY_BYTES, options.maxBytes) })
  const disk = watchDisk(journal, options)

  function append(line: string, id: string | undefined, overLimit: boolean): AppendResult {
    const kept = journal.append(line, id, overLimit)
    if (kept !== "failed") return kept
    disk.refused()
    return overflow.append(line) === "kept" ? "kept" : "failed"
  }

  return {
    spools: [overflow, journal],
    journalBytes: () => journal.bytes,
    append,
    appendAll(entries) {
      const rows = entries.filter(({ begins }) => !begins)
      if (journal.appendAll(entries) === "kept") return rows.map(() => "kept")
      // One by one: some may find room, and begin lines are only worth their place while there is plenty.
      return rows.map(({ line, id }) => append(line, id, false))
    },
    isFull: () => disk.isRefusing() || isNearly(journal.bytes, journal.maxBytes),
    syncNow: () => journal.syncNow(),
    replayedLines: journal.replayedLines,
    unended: journal.unended,
    lastWriteMs: journal.lastWriteMs,
    async close() {
      disk.stop()
      await moveToDisk(overflow, journal)
      await journal.close()
    },
  }
}

/** `ledger.journal: false`. */
export function createMemoryStore(maxBytes: number): Store {
  const queue = createBatchQueue({ maxBytes: Math.min(MAX_MEMORY_BYTES, maxBytes) })
  return {
    spools: [queue],
    journalBytes: () => 0,
    append: (line) => queue.append(line),
    appendAll: (entries) => entries.flatMap(({ line, begins }) => (begins ? [] : [queue.append(line)])),
    isFull: () => isNearly(queue.waitingBytes, Math.min(MAX_MEMORY_BYTES, maxBytes)),
    syncNow: () => {},
    replayedLines: 0,
    unended: [],
    lastWriteMs: undefined,
    close: async () => {},
  }
}

/** An eighth is for the requests in flight. */
function isNearly(bytes: number, maxBytes: number): boolean {
  return bytes > maxBytes - maxBytes / 8
}

/** The disk may take again what it refused a moment ago: the last chance before this process ends. */
async function moveToDisk(queue: BatchQueue, journal: Journal): Promise<void> {
  for (let batch = await queue.read(0); batch !== undefined; batch = await queue.read(0)) {
    const line = batch.array!.toString("utf8", 1, batch.array!.length - 1)
    if (journal.append(line) !== "kept") return
    queue.ack(batch)
  }
}

/** Says when the disk begins to refuse and when it has ended, which it finds out by itself even when nobody appends. */
function watchDisk(journal: Journal, { dir, log, probeIntervalMs }: DiskStoreOptions) {
  let timer: NodeJS.Timeout | undefined

  function refused(): void {
    if (timer !== undefined) return
    const { code, message } = journal.lastFailure as NodeJS.ErrnoException
    log("error", `the journal in ${dir} cannot be written (${code ?? message}): rows wait in memory, within bounds`)
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

  return { refused, isRefusing: () => timer !== undefined, stop }
}
