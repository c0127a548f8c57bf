import type { AppendResult } from "../../kit/log/batch.ts"
import type { Journal } from "../../kit/log/journal.ts"
import type { JournalOptions } from "../../kit/log/journal-options.ts"
import { openJournal } from "../../kit/log/open-journal.ts"
import type { Log } from "./outage.ts"
import { createOverflow } from "./overflow.ts"
import { isNearlyFull, MAX_MEMORY_BYTES, type Store, type StoreResult } from "./store.ts"

interface DiskStoreOptions extends Omit<JournalOptions, "onFailing"> {
  readonly log: Log
  readonly probeIntervalMs: number
}

/**
 * Opens a store on the disk. While the disk rejects writes, rows are kept in the reserve of the journal, and overflow to
 * memory, up to a limit. They return to the disk as soon as it has room.
 */
export async function openDiskStore(options: DiskStoreOptions): Promise<Store> {
  /** Running requests whose intents are not on the disk: only the counters know of them. */
  const unguarded = new Set<string>()
  /** The counters do not show yet what happened to rows and intents. */
  let isUnsaved = false
  const overflow = createOverflow(Math.min(MAX_MEMORY_BYTES, options.maxBytes), () => journal)
  const journal: Journal = await openJournal({ ...options, onFailing: (error) => disk.failed(error) })
  const disk = watchDisk(options, () => (journal.probe() ? overflow.moveToDisk() : "failed"))

  function append(line: string, id: string | undefined, overLimit: boolean): StoreResult {
    const result = journal.append(line, id, overLimit)
    if (result === "kept") return result
    const isGuarded = id !== undefined && journal.hasIntent(id)
    if (result === "failed" && overflow.append(line, isGuarded)) return "memory"
    return isGuarded ? "deferred" : result
  }

  return {
    sources: [overflow.queue, journal],
    journal,
    journalBytes: () => journal.bytes,
    append,
    appendAll(entries) {
      const rows = entries.filter(({ isIntent }) => !isIntent)
      if (unguarded.size > 0) for (const { id } of rows) isUnsaved = unguarded.delete(id) || isUnsaved
      if (journal.appendAll(entries) === "kept") return rows.map(() => "kept")
      // One by one, because some may find room. Intents are left out: rows need the room more.
      isUnsaved = true
      for (const { id, isIntent } of entries) if (isIntent) unguarded.add(id)
      return rows.map(({ line, id }) => append(line, id, false))
    },
    takeUnsaved() {
      const was = isUnsaved
      isUnsaved = false
      return was
    },
    running: () => unguarded.size,
    inMemory: overflow.rows,
    releaseMemory() {
      overflow.queue.release()
      overflow.saveMoved()
      if (overflow.queue.waitingLines > 0 && !disk.isFailing()) overflow.moveToDisk()
    },
    isFull: () => disk.isFailing() || isNearlyFull(journal.bytes, journal.maxBytes),
    flushSync: () => journal.flushSync(),
    recovered: journal,
    keepCounters: (counts) => journal.keepCounters(counts),
    saveCounters: () => journal.saveCounters(),
    abandonMemory() {
      disk.stop()
      return overflow.abandon()
    },
    countOnDisk: () => journal.countOnDisk(),
    async close(isPending) {
      disk.stop()
      await journal.close(isPending)
    },
  }
}

/** Logs when the disk starts to reject writes, and when it has accepted those of `tryAgain`. */
function watchDisk({ dir, log, probeIntervalMs }: DiskStoreOptions, tryAgain: () => AppendResult) {
  let timer: NodeJS.Timeout | undefined

  function failed(error: unknown): void {
    if (timer !== undefined) return
    const { code, message } = error as NodeJS.ErrnoException
    log(
      "error",
      `the journal in ${dir} cannot be written (${code ?? message}): rows go to its reserve and then to memory, up to a limit`,
    )
    timer = setInterval(probe, probeIntervalMs).unref()
  }

  function probe(): void {
    const result = tryAgain()
    if (result === "failed") return
    stop()
    if (result === "kept") log("info", `the journal in ${dir} can be written again`)
    else log("warn", `the disk of ${dir} accepts writes again, but the journal is full (ledger.max_journal_size)`)
  }

  function stop(): void {
    clearInterval(timer)
    timer = undefined
  }

  return { failed, isFailing: () => timer !== undefined, stop }
}
