import { type BatchQueue, createBatchQueue } from "../../kit/batch-queue.ts"
import type { AppendResult } from "../../kit/log/batch.ts"
import type { Journal } from "../../kit/log/journal.ts"
import { SentPositions } from "./sent-rows.ts"
import type { MemoryRows } from "./store.ts"

/** Rows that return from memory to the disk at once. More would block the event loop for too long. */
const MAX_MOVED_ROWS = 2000
const ROWS_PER_WRITE = 100

/** The rows that the disk has rejected, in memory. */
interface Overflow {
  readonly queue: BatchQueue
  /** @param isGuarded whether the row is written by the next process if this one dies */
  append(line: string, isGuarded: boolean): boolean
  isGuarded(id: string): boolean
  readonly positions: SentPositions
  rows(): MemoryRows
  /** The counters have to show that rows have left the memory. */
  saveMoved(): void
  /**
   * Moves rows to the disk. `failed`: the disk rejects them, or some are being sent and all must leave in their order.
   * `full`: the disk accepts them, but the journal has reached its limit. They then move when the database has taken others.
   */
  moveToDisk(): AppendResult
  /** Tries the disk once more, then gives up all rows. Returns how many those are. */
  abandon(): MemoryRows
}

interface OverflowOptions {
  readonly maxBytes: number
  getJournal(): Journal
  /** A row has left the memory whose intent may be on the disk. */
  onLeaveGuarded(id: string): void
}

export function createOverflow({ maxBytes, getJournal, onLeaveGuarded }: OverflowOptions): Overflow {
  /** The ids of rows that outlive this process: their intents are on the disk, or they are gaps in the counters. */
  const guarded = new Set<string>()
  const positions = new SentPositions()
  /** Rows that the next write moves to the disk, of those that only the memory has. */
  let moving = 0
  let hasMoved = false
  let isAbandoned = false
  const queue = createBatchQueue({
    maxBytes,
    onLeave(line) {
      hasMoved = true
      if (guarded.size > 0 && guarded.delete(idOf(line))) onLeaveGuarded(idOf(line))
      else positions.leave()
    },
  })

  function append(line: string, isGuarded: boolean): boolean {
    if (isAbandoned || queue.append(line) !== "kept") return false
    if (isGuarded) guarded.add(idOf(line))
    return true
  }

  /**
   * The counters are stored before and after each write, so that a kill in between counts no row twice: the rows that they
   * announce are then the first ones after the end that they name.
   */
  function moveToDisk(): AppendResult {
    if (queue.isInUse) return "failed"
    for (let moved = 0; moved < MAX_MOVED_ROWS || isAbandoned; moved += ROWS_PER_WRITE) {
      const lines = takeAlike(queue.peek(ROWS_PER_WRITE), guarded)
      if (lines.length === 0) break
      moving = guarded.has(idOf(lines[0]!)) ? 0 : lines.length
      getJournal().saveCounters()
      const result = getJournal().appendAll(lines.map(toEntry))
      moving = 0
      if (result === "kept") queue.remove(lines.length)
      getJournal().saveCounters()
      if (result !== "kept") return result
    }
    return "kept"
  }

  function saveMoved(): void {
    if (hasMoved) getJournal().saveCounters()
    hasMoved = false
  }

  const countOthers = () => queue.waitingLines - guarded.size
  const rows = () => ({ guarded: guarded.size, others: countOthers(), moving, sent: positions.sent(countOthers()) })

  return {
    queue,
    append,
    isGuarded: (id) => guarded.has(id),
    positions,
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

/** Returns the first lines that are all guarded, or all not. */
function takeAlike(lines: readonly string[], guarded: ReadonlySet<string>): readonly string[] {
  if (guarded.size === 0) return lines
  const isGuarded = (line: string) => guarded.has(idOf(line))
  const end = lines.findIndex((line) => isGuarded(line) !== isGuarded(lines[0]!))
  return end === -1 ? lines : lines.slice(0, end)
}

const toEntry = (line: string) => ({ line, id: idOf(line), isIntent: false })

/** Returns the id of a line, which is its first member: `{"id":"…"`. */
function idOf(line: string): string {
  return line.slice(7, line.indexOf('"', 7))
}
