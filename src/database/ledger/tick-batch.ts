import type { Entry } from "../../kit/journal.ts"

/** As much as the journal writes without asking for memory. */
const MAX_TURN_BYTES = 16 * 1024

/** Collects what is handed over in one turn of the event loop. */
export interface TickBatch {
  /** `onKept` is called when the entry has been taken. */
  add(entry: Entry, onKept?: () => void): void
  flush(): void
}

/**
 * Under load several requests end in one turn: one write for all of them costs little more than one for each. An answer
 * waits for its row with its last bytes, so nothing is lost that a client has seen the end of.
 */
export function createTickBatch(take: (entries: readonly Entry[]) => void): TickBatch {
  let entries: Entry[] = []
  let waiting: (() => void)[] = []
  let bytes = 0
  let isTurnEnding = false

  function endTurn(): void {
    isTurnEnding = false
    flush()
  }

  function flush(): void {
    if (entries.length === 0) return
    const taken = entries
    const callbacks = waiting
    entries = []
    waiting = []
    bytes = 0
    take(withoutKeptPromises(taken))
    for (const callback of callbacks) callback()
  }

  return {
    add(entry, onKept) {
      // A promise does not wait either: it is asked for before its request is sent, so it is written before that too.
      if (!isTurnEnding) {
        isTurnEnding = true
        setImmediate(endTurn)
      }
      entries.push(entry)
      if (onKept) waiting.push(onKept)
      bytes += entry.line.length
      if (bytes >= MAX_TURN_BYTES) flush()
    },
    flush,
  }
}

/** A promise whose row comes in the same write need not be written. */
function withoutKeptPromises(entries: readonly Entry[]): readonly Entry[] {
  let ended: Set<string> | undefined
  let promises = 0
  for (const { id, begins } of entries) {
    if (begins) promises++
    else ended = (ended ?? new Set()).add(id)
  }
  if (ended === undefined || promises === 0) return entries
  return entries.filter(({ id, begins }) => !begins || !ended.has(id))
}
