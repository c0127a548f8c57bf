import type { Caller } from "../core/call.ts"
import type { Deps } from "../gateway/deps.ts"
import type { PriceBook } from "../pricing/price-book.ts"

/** The lists are made from thousands of prices, and these change once an hour. */
const MAX_AGE_MS = 60_000

interface ModelListOptions {
  readonly prices: Pick<PriceBook, "models">
  /** In milliseconds since the epoch. */
  now(): number
  /** Whether a client may send requests to a provider; without it, each may use every provider. */
  isUsable?(provider: string, caller: Caller): boolean
}

/** Creates the lists of the models that have a known price, by provider. */
export function createModelLists({ prices, now, isUsable }: ModelListOptions): NonNullable<Deps["listModels"]> {
  const lists = new Map<string, { readonly ids: readonly string[]; readonly madeAt: number }>()
  return ({ name }, caller) => {
    // Codex asks for its own list here, in a form that no API has.
    if (name === "chatgpt") return undefined
    if (isUsable?.(name, caller) === false) return []
    const known = lists.get(name)
    if (known !== undefined && now() - known.madeAt < MAX_AGE_MS) return known.ids
    const ids = [...new Set(prices.models(name).map(({ model }) => model))]
    lists.set(name, { ids, madeAt: now() })
    return ids
  }
}
