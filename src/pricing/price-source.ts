import type { Proxies } from "../kit/proxy/proxies.ts"
import { type Fetched, fetchList } from "./fetch-list.ts"
import type { FetchedSource } from "./row.ts"
import { readSavedList, saveList, touchSavedList } from "./saved-list.ts"

/** The result of a refresh. After `failed`, the prices are as before. */
export type Refreshed =
  | { readonly status: "updated" | "unchanged"; readonly day: string; readonly models: number }
  | { readonly status: "failed"; readonly reason: string }
  | { readonly status: "off" }

/** When a price list was fetched, in milliseconds since the epoch. */
export interface ListCheck {
  /** When the server last sent the list or had the same one, by this process or another of the machine; undefined: never. */
  readonly checkedAt: number | undefined
  /** Since when this process has been trying. */
  readonly openedAt: number
}

/** A price list that is fetched from time to time. The last usable copy is kept in memory and on disk. */
export interface PriceSource<List> {
  current(): List | undefined
  /** Says when the list was last fetched; undefined if no list is fetched. */
  check(): ListCheck | undefined
  /** Fetches the list now. Calls at the same time share one request. Never rejects. */
  refresh(): Promise<Refreshed>
  /** Loads the copy on disk. A copy that is missing, damaged or from another address is not used. */
  load(): Promise<void>
  /** Starts to refresh in the background: now, and then at each interval. */
  start(): void
  close(): void
}

/** The facts that a list states about itself. */
interface ListFacts {
  /** The day of the list, `YYYY-MM-DD`. */
  readonly day: string
  /** The number of its prices. */
  readonly size: number
}

/** Where a list comes from. */
interface ListOrigin {
  readonly fetchedAt: number
  /** It is the copy on disk. */
  readonly isCopy: boolean
}

interface PriceSourceOptions<List extends ListFacts> {
  readonly name: FetchedSource
  /** If it is empty, no list is fetched. */
  readonly url: string
  readonly refreshIntervalMs: number
  readonly proxies?: Proxies | undefined
  readonly cacheFile: string | undefined
  /** The time for a whole answer. */
  readonly timeoutMs?: number | undefined
  /** @throws Error that says what is wrong with the list */
  parse(body: unknown, fetchedAt: number): List
  /** Is called when there is another list, before it is used. */
  onChange(list: List, origin: ListOrigin): void
  /** Is called after each refresh, whatever its result. Must not reject. */
  onRefreshed(): Promise<unknown>
  now(): number
  log(line: string): void
}

export function createPriceSource<List extends ListFacts>(options: PriceSourceOptions<List>): PriceSource<List> {
  const { name, url, proxies, refreshIntervalMs, cacheFile, timeoutMs, log } = options
  const closing = new AbortController()
  const held = createHeldList(options)
  let running: Promise<Refreshed> | undefined
  let timer: NodeJS.Timeout | undefined

  const fetchNow = async (): Promise<Refreshed> => {
    const fetched = await fetchList(url, { held: held.current(), signal: closing.signal, proxies, timeoutMs })
    const fetchedAt = options.now()
    const result = held.take(fetched, fetchedAt)
    // First the history: the copy on disk is the only other place that has the earlier prices.
    await options.onRefreshed()
    if (fetched.status === "updated" && result.status === "updated") {
      await saveList({ cacheFile, log }, { url, etag: fetched.etag, fetched_at: fetchedAt, body: fetched.body })
    }
    if (result.status === "unchanged") await touchSavedList(cacheFile, fetchedAt)
    return result
  }
  const refresh = (): Promise<Refreshed> => {
    if (url === "") return Promise.resolve({ status: "off" })
    running ??= fetchNow().finally(() => {
      running = undefined
    })
    return running
  }
  const refreshInBackground = async () => {
    const result = await refresh()
    if (result.status === "failed" && !closing.signal.aborted) {
      log(`the price list of ${name} could not be fetched: ${result.reason}; prices stay as they are`)
    }
  }

  return {
    current: () => held.current()?.list,
    check: () => (url === "" ? undefined : held.check()),
    refresh,
    load: async () => {
      if (cacheFile === undefined || url === "") return
      try {
        const saved = await readSavedList(cacheFile)
        if (saved?.url === url) {
          const etag = typeof saved.etag === "string" ? saved.etag : undefined
          held.accept(saved.body, etag, { fetchedAt: saved.fetched_at, isCopy: true })
          held.note(saved.checkedAt)
        }
      } catch {
        log(`the price list in ${cacheFile} cannot be used; it is replaced when the list is fetched again`)
      }
    },
    start: () => {
      if (url === "" || timer !== undefined) return
      timer = setInterval(refreshInBackground, refreshIntervalMs)
      timer.unref()
      void refreshInBackground()
    },
    close: () => {
      clearInterval(timer)
      closing.abort()
    },
  }
}

/** Holds the last usable list, with what the server needs to tell that it has not changed. */
function createHeldList<List extends ListFacts>({ parse, onChange, now }: PriceSourceOptions<List>) {
  let held: { readonly list: List; readonly etag: string | undefined } | undefined
  const openedAt = now()
  let checkedAt: number | undefined
  return {
    current: () => held,
    check: () => ({ checkedAt, openedAt }),
    note(at: number): void {
      checkedAt = at
    },
    /** Accepts what the server answered. A list that is not usable is a failure, and the current one stays. */
    take(fetched: Fetched, fetchedAt: number): Refreshed {
      if (fetched.status === "failed") return fetched
      try {
        if (fetched.status === "updated") this.accept(fetched.body, fetched.etag, { fetchedAt, isCopy: false })
      } catch (error) {
        return { status: "failed", reason: error instanceof Error ? error.message : "unknown" }
      }
      this.note(fetchedAt)
      return this.toResult(fetched.status)
    },
    /** @throws Error if the body is not a usable list; the current one then stays */
    accept(body: unknown, etag: string | undefined, origin: ListOrigin): void {
      const list = parse(body, origin.fetchedAt)
      held = { list, etag }
      onChange(list, origin)
    },
    toResult(status: "updated" | "unchanged"): Refreshed {
      const { day, size } = held!.list
      return { status, day, models: size }
    },
  }
}
