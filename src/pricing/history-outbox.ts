import type { PriceHistoryStore } from "../core/price-history.ts"
import { type HistoryEntry, type HistoryFile, isFetchedSource } from "./history-file.ts"

/** The way of the changes that this process has seen: to the database, and to the file while it cannot be reached. */
interface HistoryOutbox {
  add(entry: HistoryEntry): void
  /** Stores what was added, and what the file has. Never rejects: after a failure, it stays in the file and in memory. */
  send(): Promise<void>
  /** Returns what was stored in the database since the last call, by any gateway; nothing if it cannot be reached. */
  readStored(): Promise<readonly HistoryEntry[]>
}

interface OutboxOptions {
  readonly file: HistoryFile | undefined
  readonly store: PriceHistoryStore | undefined
  log(line: string): void
}

export function createHistoryOutbox({ file, store, log }: OutboxOptions): HistoryOutbox {
  /** The entries that are neither in the database nor in the file. */
  const waiting: HistoryEntry[] = []
  let isAway = false
  let sending = Promise.resolve()

  /** Uses the database. A failure is logged when it begins, and `otherwise` is returned. */
  const reach = async <T>(otherwise: T, work: (store: PriceHistoryStore) => Promise<T>): Promise<T> => {
    if (store === undefined) return otherwise
    try {
      const result = await work(store)
      isAway = false
      return result
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown"
      if (!isAway)
        log(`the history of prices in the database cannot be used: ${reason}; until it can, changes are kept in a file`)
      isAway = true
      return otherwise
    }
  }
  /** Moves what the file and the memory have to the database, until there is nothing left. Returns whether that worked. */
  const moveAll = () =>
    reach(false, async (database) => {
      for (;;) {
        const filed = await file?.take()
        const count = waiting.length
        const entries = [...(filed?.entries ?? []), ...waiting]
        if (entries.length === 0) return true
        await database.add(entries)
        waiting.splice(0, count)
        await filed?.remove()
      }
    })
  const keepInFile = async () => {
    const count = waiting.length
    if (await file?.append(waiting.slice(0, count))) waiting.splice(0, count)
  }

  return {
    add: (entry) => void waiting.push(entry),
    send: () => {
      sending = sending.then(async () => {
        if (!(await moveAll())) await keepInFile()
      })
      return sending
    },
    readStored: () => reach([], async (database) => (await database.readNew()).filter(isOfFetchedSource)),
  }
}

function isOfFetchedSource(change: { readonly source: string }): change is HistoryEntry {
  return isFetchedSource(change.source)
}
