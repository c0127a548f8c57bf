import type { Rates } from "../core/cost.ts"

export interface PriceBookOptions {
  /** The address of the llm-prices.com list. If it is empty, no list is fetched. */
  readonly remoteUrl: string
  readonly refreshIntervalMs: number
  /** The path of the user's price file. */
  readonly fallbackFile?: string | undefined
  /** The path of the user's file of model names. */
  readonly aliasesFile?: string | undefined
  /** Rates by model, or by `provider/model`. They have priority over all other sources. */
  readonly overrides?: Readonly<Record<string, Rates>> | undefined
  /** The prices of configured providers by name: `"free"` if all calls are free, or rates by model. */
  readonly providerPrices?: Readonly<Record<string, "free" | Readonly<Record<string, Rates>>>> | undefined
  /** The base URL of each configured provider. A known host is priced as such, whatever the provider is called. */
  readonly baseUrls?: Readonly<Record<string, string>> | undefined
  /** The path of the copy of the last usable list. */
  readonly cacheFile?: string | undefined
  now(): number
  /** Logs one line. It never contains a secret. */
  log(line: string): void
}
