import type { Entry } from "../../kit/log/journal.ts"

/** The size up to which the journal writes without allocating memory. */
const MAX_BATCH_BYTES = 16 * 1024

/** Collects the journal lines of one tick of the event loop. */
interface TickBatch {
  /** @param onKept is called when the entry has been handed to the journal */
  add(entry: Entry, onKept?: () => void): void
  flush(): void
}

/**
 * Under load, several requests end in one tick: one write for all of them costs little more than one for each. The last
 * bytes of an answer wait for its row, so nothing is lost of an answer whose end a client has seen.
 */
export function createTickBatch(append: (entries: readonly Entry[]) => void): TickBatch {
  let entries: Entry[] = []
  let callbacks: (() => void)[] = []
  let bytes = 0
  let isScheduled = false

  function endTick(): void {
    isScheduled = false
    flush()
  }

  function flush(): void {
    if (entries.length === 0) return
    const batch = entries
    const batchCallbacks = callbacks
    entries = []
    callbacks = []
    bytes = 0
    append(withoutSettledIntents(batch))
    for (const callback of batchCallbacks) callback()
  }

  return {
    add(entry, onKept) {
      // An intent waits too, and its request with it: a provider gets no request that a kill would leave without a trace.
      if (!isScheduled) {
        isScheduled = true
        setImmediate(endTick)
      }
      entries.push(entry)
      if (onKept) callbacks.push(onKept)
      bytes += entry.line.length
      if (bytes >= MAX_BATCH_BYTES) flush()
    },
    flush,
  }
}

/** An intent whose row is in the same write need not be written. */
function withoutSettledIntents(entries: readonly Entry[]): readonly Entry[] {
  let settled: Set<string> | undefined
  let intents = 0
  for (const { id, isIntent } of entries) {
    if (isIntent) intents++
    else settled = (settled ?? new Set()).add(id)
  }
  if (settled === undefined || intents === 0) return entries
  return entries.filter(({ id, isIntent }) => !isIntent || !settled.has(id))
}
