import type { Caller } from "../core/call.ts"
import type { Deps } from "../gateway/deps.ts"
import type { PriceBook } from "../pricing/price-book.ts"
import { isCloud } from "../providers/_clouds.ts"

/** The lists are made from thousands of prices, and these change once an hour. */
const MAX_AGE_MS = 60_000

interface ModelListOptions {
  readonly prices: Pick<PriceBook, "models">
  /** In milliseconds since the epoch. */
  now(): number
  /** Whether the gateway has a credential for a client at a provider. */
  canSupply(provider: string, caller: Caller): boolean
}

/**
 * Creates the lists of the models that have a known price, by provider. The list is empty at a provider that would reject
 * the client. A provider of the settings may need no credential.
 */
export function createModelLists({ prices, now, canSupply }: ModelListOptions): NonNullable<Deps["listModels"]> {
  const lists = new Map<string, { readonly ids: readonly string[]; readonly madeAt: number }>()
  return ({ name, format }, caller, hasCredential) => {
    // Codex asks for its own list here, in a form that no API has.
    if (name === "chatgpt") return undefined
    const needsCredential = name === format || isCloud(name)
    if (needsCredential && !hasCredential && !canSupply(name, caller)) return []
    const known = lists.get(name)
    if (known !== undefined && now() - known.madeAt < MAX_AGE_MS) return known.ids
    const ids = [...new Set(prices.models(name).map(({ model }) => model))].filter(isName).sort()
    lists.set(name, { ids, madeAt: now() })
    return ids
  }
}

/** Price lists also have beginnings of names, such as `ft:gpt-4.1`, and what a price list calls a group of them. */
function isName(model: string): boolean {
  return !/^(?:ft:[^:]*|regional\..*|.*[-.:*])$/.test(model)
}
