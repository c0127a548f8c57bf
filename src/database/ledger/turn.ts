import type { Entry } from "../../kit/journal.ts"

/** As much as the journal writes without asking for memory. */
const MAX_TURN_BYTES = 16 * 1024

/** Collects what is handed over in one turn of the event loop. */
export interface Turn {
  /** `onKept` is called when the entry has been taken. */
  add(entry: Entry, onKept?: () => void): void
  flush(): void
}

/**
 * Under load several requests end in one turn: one write for all of them costs little more than one for each. An answer
 * waits for its row with its last bytes, so nothing is lost that a client has seen the end of.
 */
export function createTurn(take: (entries: readonly Entry[]) => void): Turn {
  let entries: Entry[] = []
  let waiting: (() => void)[] = []
  let bytes = 0

  function flush(): void {
    if (entries.length === 0) return
    const taken = entries
    const callbacks = waiting
    entries = []
    waiting = []
    bytes = 0
    take(taken)
    for (const callback of callbacks) callback()
  }

  return {
    add(entry, onKept) {
      if (entries.length === 0) setImmediate(flush)
      entries.push(entry)
      if (onKept) waiting.push(onKept)
      bytes += entry.line.length
      if (bytes >= MAX_TURN_BYTES) flush()
    },
    flush,
  }
}
