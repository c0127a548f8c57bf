import { join } from "node:path"
import type { Settings } from "../../config/settings.ts"
import { createPriceBook, type PriceBook } from "../../pricing/price-book.ts"
import { openSettings } from "../_open.ts"
import { say } from "../_print.ts"

/** The price book as `serve` has it, for one piece of work: with the last good list from disk, fetching nothing. */
export async function withPriceBook<T>(
  configFile: string | undefined,
  work: (book: PriceBook, settings: Settings) => Promise<T> | T,
): Promise<T> {
  const settings = await openSettings(configFile)
  const providers = Object.entries(settings.providers)
  const book = await createPriceBook({
    ...settings.pricing,
    cacheFile: join(settings.storage.dataDir, "llm-prices.json"),
    providerPrices: Object.fromEntries(providers.flatMap(([name, { prices }]) => (prices ? [[name, prices]] : []))),
    baseUrls: Object.fromEntries(providers.map(([name, { baseUrl }]) => [name, baseUrl])),
    now: Date.now,
    log: say,
  })
  try {
    return await work(book, settings)
  } finally {
    book.close()
  }
}
