import type { AppendResult } from "../../kit/log/batch.ts"
import type { Journal } from "../../kit/log/journal.ts"
import type { JournalOptions } from "../../kit/log/journal-options.ts"
import { openJournal } from "../../kit/log/open-journal.ts"
import type { Log } from "./outage.ts"
import { createOverflow } from "./overflow.ts"
import { isNearlyFull, MAX_MEMORY_BYTES, type Store, type StoreResult } from "./store.ts"

interface DiskStoreOptions extends Omit<JournalOptions, "onFailing" | "onIntentLost"> {
  readonly log: Log
  readonly probeIntervalMs: number
}

/**
 * Opens a store on the disk. While the disk rejects writes, rows are kept in the reserve of the journal, and overflow to
 * memory, up to a limit. They return to the disk as soon as it has room.
 */
export async function openDiskStore(options: DiskStoreOptions): Promise<Store> {
  const unguarded = createUnguarded()
  let onGuardedLeft = (_id: string): void => {}
  const overflow = createOverflow({
    maxBytes: Math.min(MAX_MEMORY_BYTES, options.maxBytes),
    getJournal: () => journal,
    onLeaveGuarded(id) {
      journal.settleIntent(id)
      unguarded.settle([{ id }])
      onGuardedLeft(id)
    },
  })
  const journal: Journal = await openJournal({
    ...options,
    onFailing: (error) => disk.failed(error),
    // From here on only the counters know of the request. They are stored before the file is deleted.
    onIntentLost: unguarded.add,
  })
  const disk = watchDisk(options, () => (journal.probe() ? overflow.moveToDisk() : "failed"))

  function append(line: string, id: string | undefined, overLimit: boolean, isKnown = false): StoreResult {
    const result = journal.append(line, id, overLimit)
    if (result === "kept") return result
    const isGuarded = isKnown || (id !== undefined && journal.hasIntent(id))
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
      unguarded.settle(rows)
      if (journal.appendAll(entries) === "kept") return rows.map(() => "kept")
      // One by one, because some may find room. Intents are left out: rows need the room more.
      unguarded.needSave()
      for (const { id, isIntent } of entries) if (isIntent) unguarded.add(id)
      return rows.map(({ line, id }) => append(line, id, false))
    },
    takeUnsaved: unguarded.takeUnsaved,
    running: unguarded.count,
    inMemory: overflow.rows,
    memory: { source: overflow.queue, positions: overflow.positions, isGuarded: overflow.isGuarded },
    releaseMemory() {
      overflow.queue.release()
      overflow.saveMoved()
      if (overflow.queue.waitingLines > 0 && !disk.isFailing()) overflow.moveToDisk()
    },
    isFull: () => disk.isFailing() || isNearlyFull(journal.bytes, journal.maxBytes),
    flushSync: () => journal.flushSync(),
    watchGuarded(onLeft) {
      onGuardedLeft = onLeft
    },
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

/** Keeps the running requests whose intents are not on the disk: only the counters know of them. */
function createUnguarded() {
  const ids = new Set<string>()
  /** The counters do not show yet what happened to rows and intents. */
  let isUnsaved = false

  /** The requests have their rows. */
  function settle(rows: readonly { readonly id: string }[]): void {
    if (ids.size > 0) for (const { id } of rows) isUnsaved = ids.delete(id) || isUnsaved
  }

  function takeUnsaved(): boolean {
    const was = isUnsaved
    isUnsaved = false
    return was
  }

  return {
    add: (id: string) => void ids.add(id),
    settle,
    count: () => ids.size,
    needSave() {
      isUnsaved = true
    },
    takeUnsaved,
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
