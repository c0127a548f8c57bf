import type { Settings } from "../config/settings.ts"
import type { Rates } from "../core/cost.ts"
import { createPriceBook, type PriceBook } from "../pricing/price-book.ts"
import type { ServerOptions } from "./options.ts"

/** Opens the price book of the settings and starts to refresh it in the background. */
export async function openPrices({ settings, log }: ServerOptions): Promise<PriceBook> {
  const prices = await createPriceBook({
    ...settings.pricing,
    dataDir: settings.storage.dataDir,
    providerPrices: toProviderPrices(settings),
    baseUrls: Object.fromEntries(Object.entries(settings.providers).map(([name, { baseUrl }]) => [name, baseUrl])),
    now: Date.now,
    log: (line) => log("warn", line),
  })
  prices.start()
  return prices
}

function toProviderPrices(settings: Settings): Readonly<Record<string, "free" | Readonly<Record<string, Rates>>>> {
  return Object.fromEntries(
    Object.entries(settings.providers).flatMap(([name, { prices }]) => (prices === undefined ? [] : [[name, prices]])),
  )
}
