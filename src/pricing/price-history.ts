import { isDeepStrictEqual } from "node:util"
import type { PriceHistoryStore } from "../core/price-history.ts"
import { createHistoryFile, type HistoryEntry } from "./history-file.ts"
import { createHistoryOutbox } from "./history-outbox.ts"
import type { FetchedSource } from "./row.ts"

/** The prices of a model in one source, from the time at which the gateway first saw them there. */
export interface PriceVersion {
  /** Milliseconds since the epoch. */
  readonly from: number
  /** The prices in the source's own form; `null` if the source no longer lists the model. */
  readonly prices: unknown
}

/** The prices of a model that a list shows now. */
export interface SeenPrice {
  /** The id of the catalog's provider. */
  readonly provider: string
  readonly model: string
  readonly prices: unknown
  /** The prices that applied before, if the history does not have the model yet. */
  readonly before?: PriceVersion
}

/** The prices of each model in each source, and since when each was seen. It decides the prices of requests in the past. */
export interface PriceHistory {
  /** Returns the versions in ascending order of their time; none if the source was never seen to list the model. */
  versionsOf(source: FetchedSource, provider: string, model: string): readonly PriceVersion[]
  /** Returns the models of a source that the history has. */
  modelsOf(source: FetchedSource): readonly { readonly provider: string; readonly model: string }[]
  /** Adds the prices of a list that differ from those that the history has for its time. */
  note(source: FetchedSource, seen: readonly SeenPrice[], when: NoteTimes): void
  /** Returns how many changes there were until `at`. It is a different number for each set of prices. */
  changesUntil(at: number): number
  load(): Promise<void>
  /**
   * Stores what was noted, and reads what other gateways have stored. While the database cannot be reached, what was noted
   * is kept in the file. A failure is logged, and tried again with the next list. Returns whether other gateways had
   * stored anything.
   */
  save(): Promise<boolean>
}

interface NoteTimes {
  /** The time at which the list was fetched. */
  readonly fetchedAt: number
  /** The time from which prices apply that are the first ones known: the day of the list. Default: `fetchedAt`. */
  readonly firstFrom?: number
  /** A model that is missing in the list is no longer listed. */
  readonly isComplete: boolean
  /**
   * The list was not fetched now, but is the copy on disk. Its changes were noted when it was fetched, and since then other
   * gateways may have seen newer prices, so that it only adds models that the history does not have.
   */
  readonly isCopy: boolean
}

/** More changes of one model are not remembered; the oldest are dropped. */
const MAX_VERSIONS = 100

interface HistoryOptions {
  /** The path of the file. Without it, what cannot be stored in the database is only in memory. */
  readonly file: string | undefined
  /** The history of all gateways. Without it, the file is the whole history. */
  readonly store?: PriceHistoryStore | undefined
  log(line: string): void
}

export function createPriceHistory({ file: path, store, log }: HistoryOptions): PriceHistory {
  const file = path === undefined ? undefined : createHistoryFile({ file: path, log })
  const versions = new Map<string, PriceVersion[]>()
  const outbox = createHistoryOutbox({ file, store, log })
  let changeTimes: number[] | undefined

  /** The first prices that were seen apply from the day of their list only if nothing else is known of that time. */
  const insert = ({ source, provider, model, from, seenAt, prices }: HistoryEntry) => {
    const key = toKey(source, provider, model)
    const known = versions.get(key)
    changeTimes = undefined
    if (!known) versions.set(key, [{ from, prices }])
    else insertVersion(known, { from: findVersion(known, seenAt) ? seenAt : from, prices })
  }
  const add = (entry: HistoryEntry) => {
    insert(entry)
    outbox.add(entry)
  }
  const noteOne = (source: FetchedSource, seen: SeenPrice, when: NoteTimes) => {
    const { fetchedAt: seenAt, firstFrom = seenAt, isCopy } = when
    const { provider, model, prices, before } = seen
    const known = versions.get(toKey(source, provider, model))
    if (known && isCopy) return
    const then = known ? findVersion(known, seenAt) : before
    if (then ? isDeepStrictEqual(then.prices, prices) : prices === null) return
    if (then && then === before) add({ source, provider, model, ...before, seenAt: before.from })
    const from = then ? Math.max(seenAt, then.from + 1) : Math.min(seenAt, firstFrom)
    add({ source, provider, model, from, seenAt: Math.max(seenAt, from), prices })
  }
  const modelsOf = (source: FetchedSource) =>
    [...versions.keys()].flatMap((key) => {
      const [of, provider = "", ...model] = key.split("/")
      return of === source ? [{ provider, model: model.join("/") }] : []
    })
  const insertStored = async (): Promise<boolean> => {
    const entries = await outbox.readStored()
    for (const entry of entries) insert(entry)
    return entries.length > 0
  }

  return {
    versionsOf: (source, provider, model) => versions.get(toKey(source, provider, model)) ?? [],
    modelsOf,
    note: (source, seen, when) => {
      for (const each of seen) noteOne(source, each, when)
      if (!when.isComplete || when.isCopy) return
      const listed = new Set(seen.map(({ provider, model }) => toKey(source, provider, model)))
      for (const { provider, model } of modelsOf(source)) {
        if (!listed.has(toKey(source, provider, model))) noteOne(source, { provider, model, prices: null }, when)
      }
    },
    changesUntil: (at) => {
      changeTimes ??= [...new Set([...versions.values()].flat().map(({ from }) => from))].sort((a, b) => a - b)
      return countUntil(changeTimes, at)
    },
    load: async () => {
      await insertStored()
      for (const entry of (await file?.read()) ?? []) insert(entry)
    },
    save: async () => {
      await outbox.send()
      return insertStored()
    },
  }
}

function toKey(source: FetchedSource, provider: string, model: string): string {
  return `${source}/${provider}/${model}`
}

/** Inserts a version at its time. Of neighbors with the same prices, only the earliest is kept. */
function insertVersion(known: PriceVersion[], version: PriceVersion): void {
  const after = known.findIndex(({ from }) => from > version.from)
  const index = after < 0 ? known.length : after
  known.splice(index, 0, version)
  for (let at = Math.min(index + 1, known.length - 1); at >= Math.max(1, index); at--) {
    if (isDeepStrictEqual(known[at]?.prices, known[at - 1]?.prices)) known.splice(at, 1)
  }
  if (known.length > MAX_VERSIONS) known.shift()
}

function countUntil(times: readonly number[], at: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((times[middle] as number) <= at) low = middle + 1
    else high = middle
  }
  return low
}

/** Returns the version that applied at a time; undefined if the first one is from later. */
export function findVersion(versions: readonly PriceVersion[], at: number): PriceVersion | undefined {
  return versions.findLast(({ from }) => from <= at)
}
