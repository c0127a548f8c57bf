import { readYaml } from "../../config/file.ts"
import type { Settings } from "../../config/settings.ts"
import { createPriceBook, type PriceBook } from "../../pricing/price-book.ts"
import type { Context } from "../context.ts"

interface OpenOptions {
  readonly settings: Settings
  log(line: string): void
}

/** Opens the price book as `serve` has it, calls `work` with it, and closes it again. Nothing is fetched. */
export async function withPrices<T>(
  options: OpenOptions,
  work: (context: Context<"settings" | "prices" | "log">) => Promise<T> | T,
): Promise<T> {
  const prices = await openPrices(options)
  try {
    return await work({ ...options, prices })
  } finally {
    prices.close()
  }
}

/**
 * Opens the price book of the settings, with the price lists that were last stored in the data directory.
 *
 * @throws CommandError if a price file of the settings cannot be read
 */
export function openPrices({ settings, log }: OpenOptions): Promise<PriceBook> {
  const providers = Object.entries(settings.providers)
  return createPriceBook({
    ...settings.pricing,
    dataDir: settings.storage.dataDir,
    providerPrices: Object.fromEntries(providers.flatMap(([name, { prices }]) => (prices ? [[name, prices]] : []))),
    discounts: Object.fromEntries(
      providers.flatMap(([name, { discount }]) => (discount === undefined ? [] : [[name, discount]])),
    ),
    baseUrls: Object.fromEntries(providers.map(([name, { baseUrl }]) => [name, baseUrl])),
    readYaml,
    now: Date.now,
    log,
  })
}
