import { isInPeriod, type OwnPrice, type OwnPrices } from "../core/own-prices.ts"
import type { PriceBookOptions } from "./options.ts"
import type { Row, SourceName } from "./row.ts"

/** The prices that the user configured. */
export interface UserPrices {
  /** Whether the user has set no price. */
  isEmpty(): boolean
  /** All calls to this configured provider are free. */
  isFree(provider: string): boolean
  /** Returns what remains of the list prices of a configured provider at the time `at`, such as `"0.9"`. */
  discountFactor(provider: string, at: number): string | undefined
  /**
   * Finds the row of the settings (`pricing.overrides`, then the provider's own prices), the row that was set in the
   * database, and the row of the price file, as they are at the time `at`.
   * @param names the possible names in lower case, with and without a provider; the first that has a price decides
   */
  find(
    provider: string,
    names: readonly string[],
    at: number,
  ): { readonly own: Row | undefined; readonly stored: Row | undefined; readonly filed: Row | undefined }
  /** Returns the lower-case names that have a row in `pricing.overrides`, in the database or in the price file. */
  names(): readonly string[]
  /** Returns every price with the setting or the command it comes from. The price file comes last. */
  entries(): readonly { readonly setting: string; readonly name: string; readonly prices: readonly OwnPrice[] }[]
}

type Table = ReadonlyMap<string, readonly OwnPrice[]>

/** @param stored returns the prices that were set in the database, as they are now */
export function createUserPrices(
  { overrides, providerPrices, discounts }: Pick<PriceBookOptions, "overrides" | "providerPrices" | "discounts">,
  file: Table,
  stored: () => Table,
): UserPrices {
  const overridden = toTable(overrides)
  const tables = new Map(Object.entries(providerPrices ?? {}).map(([provider, prices]) => [provider, toTable(prices)]))
  const isConfigEmpty = [overridden, file, ...tables.values()].every((table) => table.size === 0)
  return {
    isEmpty: () => isConfigEmpty && stored().size === 0,
    isFree: (provider) => providerPrices?.[provider] === "free",
    discountFactor: (provider, at) => discounts?.[provider]?.find((discount) => isInPeriod(discount, at))?.factor,
    find: (provider, names, at) => ({
      own:
        findRow(overridden, { names, at, source: "overrides" }) ??
        findRow(tables.get(provider), { names, at, source: "overrides" }),
      stored: findRow(stored(), { names, at, source: "stored_overrides" }),
      filed: findRow(file, { names, at, source: "fallback_file" }),
    }),
    names: () => [...overridden.keys(), ...stored().keys(), ...file.keys()],
    entries: () => [
      ...toEntries("pricing.overrides", overridden),
      ...[...tables].flatMap(([provider, table]) => toEntries(`providers.${provider}.prices`, table)),
      ...toEntries("pricing set", stored()),
      ...toEntries("pricing.fallback_file", file),
    ],
  }
}

function toTable(prices: "free" | OwnPrices | undefined): Table {
  return prices === "free"
    ? new Map()
    : new Map(Object.entries(prices ?? {}).map(([name, each]) => [name.toLowerCase(), each]))
}

function toEntries(setting: string, table: Table) {
  return [...table].map(([name, prices]) => ({ setting, name, prices }))
}

function findRow(
  table: Table | undefined,
  wanted: { readonly names: readonly string[]; readonly at: number; readonly source: SourceName },
): Row | undefined {
  for (const name of table === undefined ? [] : wanted.names) {
    const price = table?.get(name)?.find((each) => isInPeriod(each, wanted.at))
    if (price) {
      return { model: name, source: wanted.source, date: price.from, base: price.base, tiers: price.tiers }
    }
  }
  return undefined
}
