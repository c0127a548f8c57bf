import { FetchError, ofetch } from "ofetch"
import { type LlmPrices, parseLlmPrices } from "./llm-prices.ts"
import type { PriceBookOptions } from "./options.ts"
import { readSavedList, saveList } from "./saved-list.ts"

/** The result of a refresh. After `failed`, the prices are as before. */
export type Refreshed =
  | { readonly status: "updated" | "unchanged"; readonly day: string; readonly models: number }
  | { readonly status: "failed"; readonly reason: string }
  | { readonly status: "off" }

/** The list of llm-prices.com: the last usable copy, which is refreshed from time to time. */
interface Remote {
  current(): LlmPrices | undefined
  /** Fetches the list now. Calls at the same time share one request. Never rejects. */
  refresh(): Promise<Refreshed>
  /** Loads the copy on disk. A copy that is missing, damaged or from another address is not used. */
  load(): Promise<void>
  /** Starts to refresh in the background: now, and then at each interval. */
  start(): void
  close(): void
}

type RemoteOptions = Pick<PriceBookOptions, "remoteUrl" | "refreshIntervalMs" | "cacheFile" | "log">

/** @param onChange is called when there is another list */
export function createRemote(options: RemoteOptions, onChange: () => void): Remote {
  const { remoteUrl, refreshIntervalMs, cacheFile, log } = options
  const list = createCurrentList(onChange)
  const closing = new AbortController()
  let running: Promise<Refreshed> | undefined
  let timer: NodeJS.Timeout | undefined

  const fetchNow = async (): Promise<Refreshed> => {
    try {
      const fetched = await fetchList(remoteUrl, list.held(), closing.signal)
      if (fetched.status !== "updated") return fetched.status === "unchanged" ? list.toResult("unchanged") : fetched
      const { body, etag } = fetched
      list.accept(body, etag)
      await saveList(options, { url: remoteUrl, etag, body })
      return list.toResult("updated")
    } catch (error) {
      return { status: "failed", reason: reasonOf(error) }
    }
  }
  const refresh = (): Promise<Refreshed> => {
    if (remoteUrl === "") return Promise.resolve({ status: "off" })
    running ??= fetchNow().finally(() => {
      running = undefined
    })
    return running
  }
  const refreshInBackground = async () => {
    const result = await refresh()
    if (result.status === "failed" && !closing.signal.aborted) {
      log(`the price list could not be fetched: ${result.reason}; prices stay as they are`)
    }
  }

  return {
    current: list.current,
    refresh,
    load: async () => {
      if (cacheFile === undefined || remoteUrl === "") return
      try {
        const saved = await readSavedList(cacheFile)
        if (saved?.url === remoteUrl) list.accept(saved.body, typeof saved.etag === "string" ? saved.etag : undefined)
      } catch {
        log(`the price list in ${cacheFile} cannot be used; it is replaced when the list is fetched again`)
      }
    },
    start: () => {
      if (remoteUrl === "" || timer !== undefined) return
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

function createCurrentList(onChange: () => void) {
  let list: LlmPrices | undefined
  let etag: string | undefined
  return {
    current: () => list,
    /** Returns the tag by which a server recognizes that the list has not changed; undefined if there is no list. */
    held: () => list && { etag },
    /** @throws Error if the body is not a usable list; the current one then stays */
    accept(body: unknown, newEtag: string | undefined): void {
      list = parseLlmPrices(body)
      etag = newEtag
      onChange()
    },
    toResult: (status: "updated" | "unchanged"): Refreshed => ({ status, day: list!.day, models: list!.size }),
  }
}

const TIMEOUT_MS = 15_000
const RETRY_DELAY_MS = 500
const MAX_CHARACTERS = 10_000_000

type Fetched =
  | { readonly status: "updated"; readonly body: unknown; readonly etag: string | undefined }
  | { readonly status: "unchanged" }
  | { readonly status: "failed"; readonly reason: string }

/**
 * Fetches the list, unless it is the one that is held.
 * @throws Error if there is no connection or the answer is not JSON
 */
async function fetchList(
  url: string,
  held: { readonly etag: string | undefined } | undefined,
  signal: AbortSignal,
): Promise<Fetched> {
  const response = await ofetch.raw<string, "text">(url, {
    responseType: "text",
    retry: 1,
    retryDelay: RETRY_DELAY_MS,
    timeout: TIMEOUT_MS,
    signal,
    ignoreResponseError: true,
    headers: { accept: "application/json", ...(held?.etag !== undefined && { "if-none-match": held.etag }) },
  })
  if (response.status === 304 && held) return { status: "unchanged" }
  if (response.status !== 200) return { status: "failed", reason: `it answered ${response.status}` }
  const text = response._data ?? ""
  if (text.length > MAX_CHARACTERS) return { status: "failed", reason: "its answer is too large" }
  return { status: "updated", body: parseJson(text), etag: response.headers.get("etag") ?? undefined }
}

/** Returns what went wrong, without the address. The address can hold a secret, and messages of fetch contain it. */
function reasonOf(error: unknown): string {
  if (error instanceof FetchError) {
    const cause = error.cause as
      | { readonly name?: string; readonly code?: string; readonly cause?: { readonly code?: string } }
      | undefined
    return cause?.name === "TimeoutError"
      ? "it did not answer in time"
      : `no connection (${cause?.cause?.code ?? cause?.code ?? "unknown"})`
  }
  return error instanceof Error ? error.message : "unknown"
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error("its answer is not JSON")
  }
}
