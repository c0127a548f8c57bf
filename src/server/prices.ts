import type { Database } from "../database/_database.ts"
import { openPrices as openPriceBook } from "../operations/open/prices.ts"
import type { PriceBook } from "../pricing/price-book.ts"
import type { ServerOptions } from "./options.ts"

/** Opens the price book of the settings and starts to refresh it in the background. */
export async function openPrices({ settings, log }: ServerOptions, database: Database): Promise<PriceBook> {
  const prices = await openPriceBook({ settings, database, log: (line) => log("warn", line) })
  prices.start()
  return prices
}
