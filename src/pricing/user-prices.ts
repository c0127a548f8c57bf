import type { Rates } from "../core/cost.ts"
import type { PriceBookOptions } from "./options.ts"
import type { Row } from "./row.ts"

/** The prices that the user configured. */
export interface UserPrices {
  /** All calls to this configured provider are free. */
  isFree(provider: string): boolean
  /**
   * Finds the row of the settings (`pricing.overrides`, then the provider's own prices) and the row of the price file.
   * @param names the possible names in lower case, with and without a provider; the first that has a row decides
   */
  find(provider: string, names: readonly string[]): { readonly own: Row | undefined; readonly filed: Row | undefined }
  /** Returns the lower-case names that have a row in `pricing.overrides` or in the price file. */
  names(): readonly string[]
}

export function createUserPrices(
  { overrides, providerPrices }: Pick<PriceBookOptions, "overrides" | "providerPrices">,
  file: ReadonlyMap<string, Row>,
): UserPrices {
  const overridden = toTable(overrides)
  const tables = new Map(Object.entries(providerPrices ?? {}).map(([provider, prices]) => [provider, toTable(prices)]))
  return {
    isFree: (provider) => providerPrices?.[provider] === "free",
    find: (provider, names) => ({
      own: findRow(overridden, names) ?? findRow(tables.get(provider), names),
      filed: names.map((name) => file.get(name)).find((row) => row !== undefined),
    }),
    names: () => [...overridden.keys(), ...file.keys()],
  }
}

function toTable(prices: "free" | Readonly<Record<string, Rates>> | undefined): ReadonlyMap<string, Rates> {
  return prices === "free"
    ? new Map()
    : new Map(Object.entries(prices ?? {}).map(([name, rates]) => [name.toLowerCase(), rates]))
}

function findRow(table: ReadonlyMap<string, Rates> | undefined, names: readonly string[]): Row | undefined {
  for (const name of names) {
    const base = table?.get(name)
    if (base) return { model: name, source: "overrides", date: undefined, base, tiers: [] }
  }
  return undefined
}
