import type { Discount, OwnPrices } from "../core/own-prices.ts"
import type { PriceHistoryStore } from "../core/price-history.ts"
import type { PriceOverrideStore } from "../core/price-override.ts"
import type { Proxies } from "../kit/proxy/proxies.ts"

export interface PriceBookOptions {
  /** The address of the llm-prices.com list. If it is empty, no list is fetched. */
  readonly remoteUrl: string
  /** The address of the data of genai-prices. If it is empty, the bundled data is used alone. */
  readonly catalogUrl?: string | undefined
  /** The address of LiteLLM's map. If it is empty, it is not used. */
  readonly litellmUrl?: string | undefined
  /** The proxies through which lists are fetched. */
  readonly proxies?: Proxies | undefined
  readonly refreshIntervalMs: number
  /** The path of the user's price file. */
  readonly fallbackFile?: string | undefined
  /** The path of the user's file of model names. */
  readonly aliasesFile?: string | undefined
  /** Prices by model, or by `provider/model`. They have priority over all other sources. */
  readonly overrides?: OwnPrices | undefined
  /** The prices of configured providers by name: `"free"` if all its calls are free, or its own prices by model. */
  readonly providerPrices?: Readonly<Record<string, "free" | OwnPrices>> | undefined
  /** The discounts of configured providers on their list prices. */
  readonly discounts?: Readonly<Record<string, readonly Discount[]>> | undefined
  /** The base URL of each configured provider. A known host is priced as such, whatever the provider is called. */
  readonly baseUrls?: Readonly<Record<string, string>> | undefined
  /** The provider whose prices hold for a configured provider, where the user has said it. */
  readonly likes?: Readonly<Record<string, string>> | undefined
  /** The models behind other names, such as deployments: by configured provider, then by the name in lower case. */
  readonly models?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined
  /** The directory for the last usable copy of each list, and for changes of prices that are not in `history`. */
  readonly dataDir?: string | undefined
  /** The history of prices of all gateways. Without it, only the changes in `dataDir` are known. */
  readonly history?: PriceHistoryStore | undefined
  /** The prices that were set for all gateways of the database. Those of the settings win over them. */
  readonly storedOverrides?: PriceOverrideStore | undefined
  /** Reads a file of the user whose name ends in `.yaml` or `.yml`. Without it, such files are rejected. */
  readYaml?(path: string): Promise<unknown>
  now(): number
  /** Logs one line. It never contains a secret. */
  log(line: string): void
}
