import { readYaml } from "../../config/file.ts"
import type { Settings } from "../../config/settings.ts"
import type { PriceOverride, PriceOverrideStore } from "../../core/price-override.ts"
import type { Database } from "../../database/_database.ts"
import { hasDatabase } from "../../database/open.ts"
import { createPriceHistoryStore } from "../../database/price-history.ts"
import { createPriceOverrideStore } from "../../database/price-overrides.ts"
import { createPriceBook, type PriceBook } from "../../pricing/price-book.ts"
import type { Context } from "../context.ts"
import { openOrNote } from "./database.ts"

interface OpenOptions {
  readonly settings: Settings
  /** The database with the history of prices. Without it, only the changes in the data directory are known. */
  readonly database?: Database | undefined
  /** Prices that are not set, and are used as if they were, in place of those with the same key. */
  readonly moreOverrides?: readonly PriceOverride[]
  log(line: string): void
}

type Work<T> = (
  context: Context<"settings" | "prices" | "log"> & { readonly database?: Database | undefined },
) => Promise<T> | T

/** Opens the price book, calls `work` with it, and closes it again. Nothing is fetched. */
export async function withPrices<T>(options: OpenOptions, work: Work<T>): Promise<T> {
  const prices = await openPrices(options)
  try {
    return await work({ ...options, prices })
  } finally {
    await prices.close()
  }
}

/**
 * Does the same with the prices that were set in the database, and with its history of prices. If the database cannot be
 * reached, the log says so, and the prices are those of the settings and of the data directory.
 *
 * @throws NewerSchemaError if the schema is newer than this program and not compatible with it
 */
export async function withStoredPrices<T>(options: OpenOptions, work: Work<T>): Promise<T> {
  const isThere = await hasDatabase(options.settings.storage)
  return withPricesOf(isThere ? await openOrNote(options, NOT_KNOWN) : undefined, options, work)
}

const NOT_KNOWN = "prices that were set with pricing set are not known"

/** Does the same for the history of prices, and also says so if there is no database. */
export async function withPriceHistory<T>(options: OpenOptions, work: Work<T>): Promise<T> {
  const { storage } = options.settings
  const note = `the history has only the changes of prices that are kept in ${storage.dataDir}`
  const isThere = await hasDatabase(storage)
  if (!isThere) options.log(`note: there is no database yet, so ${note}`)
  return withPricesOf(isThere ? await openOrNote(options, note) : undefined, options, work)
}

async function withPricesOf<T>(database: Database | undefined, options: OpenOptions, work: Work<T>): Promise<T> {
  try {
    return await withPrices({ ...options, database }, work)
  } finally {
    await database?.close()
  }
}

/**
 * Opens the price book of the settings, with the price lists that were last stored in the data directory.
 *
 * @throws CommandError if a price file of the settings cannot be read
 */
export function openPrices({ settings, database, moreOverrides, log }: OpenOptions): Promise<PriceBook> {
  const providers = Object.entries(settings.providers)
  return createPriceBook({
    ...settings.pricing,
    dataDir: settings.storage.dataDir,
    history: database && createPriceHistoryStore(database),
    storedOverrides: database && withMore(createPriceOverrideStore(database, log), moreOverrides),
    providerPrices: Object.fromEntries(providers.flatMap(([name, { prices }]) => (prices ? [[name, prices]] : []))),
    discounts: Object.fromEntries(
      providers.flatMap(([name, { discount }]) => (discount === undefined ? [] : [[name, discount]])),
    ),
    baseUrls: Object.fromEntries(providers.map(([name, { baseUrl }]) => [name, baseUrl])),
    likes: Object.fromEntries(providers.flatMap(([name, { like }]) => (like === undefined ? [] : [[name, like]]))),
    models: Object.fromEntries(
      providers.flatMap(([name, { models }]) => (models === undefined ? [] : [[name, models]])),
    ),
    readYaml,
    now: Date.now,
    log,
  })
}

function withMore(store: PriceOverrideStore, more: readonly PriceOverride[] = []): PriceOverrideStore {
  const toKey = ({ model, provider, price }: PriceOverride) => JSON.stringify([model, provider, price.from])
  const keys = new Set(more.map(toKey))
  return { ...store, read: async () => [...(await store.read()).filter((each) => !keys.has(toKey(each))), ...more] }
}
