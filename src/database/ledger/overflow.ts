import { type BatchQueue, createBatchQueue } from "../../kit/batch-queue.ts"
import type { AppendResult } from "../../kit/log/batch.ts"
import type { Journal } from "../../kit/log/journal.ts"
import type { MemoryRows } from "./store.ts"

/** Rows that return from memory to the disk at once. More would block the event loop for too long. */
const MAX_MOVED_ROWS = 2000
const ROWS_PER_WRITE = 100

/** The rows that the disk has rejected, in memory. */
interface Overflow {
  readonly queue: BatchQueue
  /** @param isGuarded whether the intent of the row is on the disk */
  append(line: string, isGuarded: boolean): boolean
  rows(): MemoryRows
  /** The counters have to show that rows have left the memory. */
  saveMoved(): void
  /**
   * Moves rows to the disk, except those that are being sent. `full`: the disk accepts them, but the journal has reached
   * its limit. They then move when the database has taken others.
   */
  moveToDisk(): AppendResult
  /** Tries the disk once more, then gives up all rows. Returns how many those are. */
  abandon(): MemoryRows
}

export function createOverflow(maxBytes: number, getJournal: () => Journal): Overflow {
  /** The ids of rows whose intent is on the disk: if this process dies, the next one writes a row for them. */
  const guarded = new Set<string>()
  let hasMoved = false
  let isAbandoned = false
  const queue = createBatchQueue({
    maxBytes,
    onLeave(line) {
      hasMoved = true
      if (guarded.size > 0 && guarded.delete(idOf(line))) getJournal().settleIntent(idOf(line))
    },
  })

  function append(line: string, isGuarded: boolean): boolean {
    if (isAbandoned || queue.append(line) !== "kept") return false
    if (isGuarded) guarded.add(idOf(line))
    return true
  }

  /** The counters follow each write, so that a kill counts no row twice. */
  function moveToDisk(): AppendResult {
    for (let moved = 0; moved < MAX_MOVED_ROWS || isAbandoned; moved += ROWS_PER_WRITE) {
      const lines = queue.peek(ROWS_PER_WRITE)
      if (lines.length === 0) return "kept"
      const result = getJournal().appendAll(lines.map((line) => ({ line, id: idOf(line), isIntent: false })))
      if (result !== "kept") return result
      queue.remove(lines.length)
      saveMoved()
    }
    return "kept"
  }

  function saveMoved(): void {
    if (hasMoved) getJournal().saveCounters()
    hasMoved = false
  }

  const rows = () => ({ guarded: guarded.size, others: queue.waitingLines - guarded.size })

  return {
    queue,
    append,
    rows,
    saveMoved,
    moveToDisk,
    abandon() {
      queue.release()
      isAbandoned = true
      moveToDisk()
      const left = rows()
      guarded.clear() // their intents stay
      queue.remove(queue.waitingLines)
      return left
    },
  }
}

/** Returns the id of a line, which is its first member: `{"id":"…"`. */
function idOf(line: string): string {
  return line.slice(7, line.indexOf('"', 7))
}
