import { randomUUID } from "node:crypto"
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { FetchError, ofetch } from "ofetch"
import type { PriceBookOptions } from "./catalog.ts"
import { type LlmPrices, parseLlmPrices } from "./llm-prices.ts"

/** How a refresh ended. `failed` leaves the prices as they were. */
export type Refreshed =
  | { readonly status: "updated" | "unchanged"; readonly day: string; readonly models: number }
  | { readonly status: "failed"; readonly reason: string }
  | { readonly status: "off" }

/** The copy on disk: the list as it came, and what a server needs to say that it has not changed. */
interface Saved {
  readonly url: string
  readonly etag?: string
  readonly body: unknown
}

const TIMEOUT_MS = 15_000
const MAX_CHARACTERS = 10_000_000

/** The list of llm-prices.com: the last good copy, and its renewal. */
export function createRemote(
  options: Pick<PriceBookOptions, "remoteUrl" | "refreshIntervalMs" | "cacheFile" | "log">,
  onChange: () => void,
) {
  let list: LlmPrices | undefined
  let etag: string | undefined
  let running: Promise<Refreshed> | undefined
  let timer: NodeJS.Timeout | undefined
  const closing = new AbortController()

  const accept = (body: unknown) => {
    list = parseLlmPrices(body)
    onChange()
    return list
  }

  const fetchList = async (): Promise<Refreshed> => {
    try {
      const response = await ofetch.raw<string, "text">(options.remoteUrl, {
        responseType: "text",
        retry: 1,
        retryDelay: 500,
        timeout: TIMEOUT_MS,
        signal: closing.signal,
        ignoreResponseError: true,
        headers: { accept: "application/json", ...(etag !== undefined && list && { "if-none-match": etag }) },
      })
      if (response.status === 304 && list) return { status: "unchanged", day: list.day, models: list.size }
      if (response.status !== 200) return { status: "failed", reason: `it answered ${response.status}` }
      const text = response._data ?? ""
      if (text.length > MAX_CHARACTERS) return { status: "failed", reason: "its answer is too large" }
      const body = parseJson(text)
      const accepted = accept(body)
      etag = response.headers.get("etag") ?? undefined
      await save({ url: options.remoteUrl, ...(etag !== undefined && { etag }), body })
      return { status: "updated", day: accepted.day, models: accepted.size }
    } catch (error) {
      return { status: "failed", reason: reasonOf(error) }
    }
  }

  const save = async (saved: Saved) => {
    if (options.cacheFile === undefined) return
    const draft = `${options.cacheFile}.${randomUUID()}`
    try {
      await mkdir(dirname(options.cacheFile), { recursive: true, mode: 0o700 })
      await writeFile(draft, JSON.stringify(saved), { mode: 0o600, flush: true })
      await rename(draft, options.cacheFile)
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {})
      options.log(`the price list could not be kept on disk: ${(error as NodeJS.ErrnoException).code ?? "unknown"}`)
    }
  }

  const refresh = (): Promise<Refreshed> => {
    if (options.remoteUrl === "") return Promise.resolve({ status: "off" })
    running ??= fetchList().finally(() => {
      running = undefined
    })
    return running
  }

  const inBackground = async () => {
    const result = await refresh()
    if (result.status === "failed" && !closing.signal.aborted) {
      options.log(`the price list could not be fetched: ${result.reason}; prices stay as they are`)
    }
  }

  return {
    current: () => list,
    refresh,
    /** Takes the copy on disk; one that is missing, of another address or damaged is none. */
    load: async () => {
      if (options.cacheFile === undefined || options.remoteUrl === "") return
      try {
        const saved = JSON.parse(await readFile(options.cacheFile, "utf8")) as Partial<Saved>
        if (saved.url !== options.remoteUrl) return
        accept(saved.body)
        etag = typeof saved.etag === "string" ? saved.etag : undefined
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return
        options.log("the price list kept on disk is unusable and is left out")
      }
    },
    start: () => {
      if (options.remoteUrl === "" || timer !== undefined) return
      timer = setInterval(inBackground, options.refreshIntervalMs)
      timer.unref()
      void inBackground()
    },
    close: () => {
      clearInterval(timer)
      closing.abort()
    },
  }
}

/** What went wrong, without the address: it may hold a secret, and the messages of fetch contain it. */
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
