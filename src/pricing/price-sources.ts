import { join } from "node:path"
import { loadBundled } from "./bundled.ts"
import { mergeCatalog, seenPrices } from "./catalog.ts"
import { parseCatalogData } from "./catalog-data.ts"
import type { Catalog } from "./catalog-model.ts"
import { type LitellmPrices, parseLitellm } from "./litellm.ts"
import { type LlmPrices, parseLlmPrices } from "./llm-prices.ts"
import type { PriceBookOptions } from "./options.ts"
import { createPriceHistory, type PriceHistory } from "./price-history.ts"
import { createPriceSource, type ListCheck, type PriceSource, type Refreshed } from "./price-source.ts"
import type { FetchedSource } from "./row.ts"

/** The result of the refresh of one source. */
export type SourceRefresh = Refreshed & { readonly source: FetchedSource }

/** When the list with a name was last fetched. */
export type NamedCheck = ListCheck & { readonly source: FetchedSource }

/** The price lists that are fetched, with the bundled data and the history of their prices. */
interface PriceSources {
  readonly history: PriceHistory
  catalog(): Catalog
  /** Returns the current list of llm-prices.com, if there is one. */
  listed(): LlmPrices | undefined
  /** Returns the current map of LiteLLM, if there is one. */
  litellm(): LitellmPrices | undefined
  /** When each list that is fetched was last fetched. */
  checks(): readonly NamedCheck[]
  /** Fetches all lists now. Never rejects: prices of a source that fails stay as they are. */
  refresh(): Promise<readonly SourceRefresh[]>
  /** Starts to move the changes in the file to the database, and to refresh in the background, now and at each interval. */
  start(): void
  close(): void
}

type SourceOptions = Pick<
  PriceBookOptions,
  "remoteUrl" | "proxies" | "catalogUrl" | "litellmUrl" | "refreshIntervalMs" | "dataDir" | "history" | "now" | "log"
>

/**
 * Opens the bundled data, the history and the last usable copy of each list. Nothing is fetched.
 * @param onChange is called when there are other prices
 */
export async function openPriceSources(options: SourceOptions, onChange: () => void): Promise<PriceSources> {
  const fileOf = (name: string) => options.dataDir && join(options.dataDir, name)
  const { history: store, log } = options
  const history = createPriceHistory({ file: fileOf("price-history.jsonl"), store, log })
  const merge = () => {
    catalog = mergeCatalog(bundled, data.current(), history)
    onChange()
  }
  const onRefreshed = () => history.save().then((hasNew) => hasNew && merge())
  const shared = { ...options, onRefreshed }
  const bundled = await loadBundled()
  await history.load()
  let catalog = mergeCatalog(bundled, undefined, history)

  const listed = createPriceSource<LlmPrices>({
    ...shared,
    name: "llm-prices.com",
    url: options.remoteUrl,
    cacheFile: fileOf("llm-prices.json"),
    parse: (body, fetchedAt) => parseLlmPrices(body, history, fetchedAt),
    onChange: (list, origin) => {
      history.note("llm-prices.com", list.seen(), { ...origin, firstFrom: Date.parse(list.day), isComplete: true })
      onChange()
    },
  })
  const data = createPriceSource({
    ...shared,
    name: "genai-prices",
    url: options.catalogUrl ?? "",
    cacheFile: fileOf("genai-prices.json"),
    parse: parseCatalogData,
    onChange: (fetched, origin) => {
      history.note("genai-prices", seenPrices(bundled, fetched), { ...origin, isComplete: false })
      merge()
    },
  })
  const litellm = createPriceSource<LitellmPrices>({
    ...shared,
    name: "litellm",
    url: options.litellmUrl ?? "",
    cacheFile: fileOf("litellm-prices.json"),
    parse: (body, fetchedAt) => parseLitellm(body, history, fetchedAt),
    onChange: (map, origin) => {
      history.note("litellm", map.seen(), { ...origin, isComplete: true })
      onChange()
    },
  })

  const all: readonly NamedSource[] = [
    ["llm-prices.com", listed],
    ["genai-prices", data],
    ["litellm", litellm],
  ]
  for (const [, source] of all) await source.load()
  return {
    history,
    catalog: () => catalog,
    listed: listed.current,
    litellm: litellm.current,
    checks: () => all.flatMap(([source, each]) => toNamedCheck(source, each.check())),
    refresh: () => refreshAll(all),
    start: () => {
      void onRefreshed()
      for (const [, source] of all) source.start()
    },
    close: () => {
      for (const [, source] of all) source.close()
    },
  }
}

type NamedSource = readonly [FetchedSource, PriceSource<unknown>]

function toNamedCheck(source: FetchedSource, check: ListCheck | undefined): NamedCheck[] {
  return check === undefined ? [] : [{ source, ...check }]
}

function refreshAll(sources: readonly NamedSource[]): Promise<readonly SourceRefresh[]> {
  return Promise.all(sources.map(async ([source, each]) => ({ source, ...(await each.refresh()) })))
}
