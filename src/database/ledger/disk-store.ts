import { createBatchQueue } from "../../kit/batch-queue.ts"
import type { Journal, JournalOptions } from "../../kit/log/journal.ts"
import { openJournal } from "../../kit/log/open-journal.ts"
import type { Log } from "./outage.ts"
import { isNearlyFull, MAX_MEMORY_BYTES, type Store, type StoreResult } from "./store.ts"

/** Rows that return from memory to the disk at once. More would block the event loop for too long. */
const MAX_MOVED_ROWS = 2000
const ROWS_PER_WRITE = 100

interface DiskStoreOptions extends Omit<JournalOptions, "onFailing"> {
  readonly log: Log
  readonly probeIntervalMs: number
}

/**
 * Opens a store on the disk. While the disk rejects writes, rows are kept in the reserve of the journal, and overflow to
 * memory, up to a limit. They return to the disk as soon as it has room.
 */
export async function openDiskStore(options: DiskStoreOptions): Promise<Store> {
  /** The ids of rows in memory whose intent is on the disk: if this process dies, the next one writes a row for them. */
  const guarded = new Set<string>()
  /** Running requests whose intents are not on the disk: only the counters know of them. */
  const unguarded = new Set<string>()
  /** The counters do not show yet what happened to rows and intents. */
  let isUnsaved = false
  /** Rows have left the memory since the counters were stored. */
  let hasMoved = false
  let isAbandoned = false
  const overflow = createBatchQueue({
    maxBytes: Math.min(MAX_MEMORY_BYTES, options.maxBytes),
    onLeave(line) {
      hasMoved = true
      if (guarded.size > 0 && guarded.delete(idOf(line))) journal.settleIntent(idOf(line))
    },
  })
  const journal: Journal = await openJournal({ ...options, onFailing: (error) => disk.failed(error) })
  const disk = watchDisk(options, () => journal.probe() && moveToDisk())

  function append(line: string, id: string | undefined, overLimit: boolean): StoreResult {
    const result = journal.append(line, id, overLimit)
    if (result === "kept") return result
    const isGuarded = id !== undefined && journal.hasIntent(id)
    if (result === "failed" && !isAbandoned && overflow.append(line) === "kept") {
      if (isGuarded) guarded.add(id)
      return "memory"
    }
    return isGuarded ? "deferred" : result
  }

  /**
   * Moves rows to the disk, except those that are being sent. The counters follow each write, so that a kill counts no row
   * twice. Returns false if the disk rejects them.
   */
  function moveToDisk(): boolean {
    for (let moved = 0; moved < MAX_MOVED_ROWS || isAbandoned; moved += ROWS_PER_WRITE) {
      const lines = overflow.peek(ROWS_PER_WRITE)
      if (lines.length === 0) return true
      const result = journal.appendAll(lines.map((line) => ({ line, id: idOf(line), isIntent: false })))
      if (result !== "kept") return result === "full" // they move when the database has taken others
      overflow.remove(lines.length)
      saveMoved()
    }
    return true
  }

  function saveMoved(): void {
    if (hasMoved) journal.saveCounters()
    hasMoved = false
  }

  return {
    sources: [overflow, journal],
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
    inMemory: () => ({ guarded: guarded.size, others: overflow.waitingLines - guarded.size }),
    releaseMemory() {
      overflow.release()
      saveMoved()
      if (overflow.waitingLines > 0 && !disk.isFailing()) moveToDisk()
    },
    isFull: () => disk.isFailing() || isNearlyFull(journal.bytes, journal.maxBytes),
    flushSync: () => journal.flushSync(),
    recovered: journal,
    keepCounters: (counts) => journal.keepCounters(counts),
    saveCounters: () => journal.saveCounters(),
    abandonMemory() {
      disk.stop()
      overflow.release()
      isAbandoned = true
      moveToDisk()
      const left = { guarded: guarded.size, others: overflow.waitingLines - guarded.size }
      guarded.clear() // their intents stay
      overflow.clear()
      return left
    },
    countOnDisk: () => journal.countOnDisk(),
    async close(isPending) {
      disk.stop()
      await journal.close(isPending)
    },
  }
}

/** Logs when the disk starts to reject writes, and when `tryAgain` has succeeded. */
function watchDisk({ dir, log, probeIntervalMs }: DiskStoreOptions, tryAgain: () => boolean) {
  let timer: NodeJS.Timeout | undefined

  function failed(error: unknown): void {
    if (timer !== undefined) return
    const { code, message } = error as NodeJS.ErrnoException
    log(
      "error",
      `the journal in ${dir} cannot be written (${code ?? message}): rows go to its reserve and then to memory, up to a limit`,
    )
    timer = setInterval(() => tryAgain() && recovered(), probeIntervalMs).unref()
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

/** Returns the id of a line, which is its first member: `{"id":"…"`. */
function idOf(line: string): string {
  return line.slice(7, line.indexOf('"', 7))
}
