import type { Rates } from "../core/cost.ts"
import { OWN_DATE } from "./own-models.ts"
import type { Row } from "./row.ts"

/**
 * The fees that providers charge by the piece for any model, in USD. Several metering projects agree on the fees for
 * searches (BerriAI/litellm #24369, #31316). The fee for containers is quoted from memory. None was read on a
 * price page on `OWN_DATE`.
 */
const FEES: Readonly<Record<string, Rates>> = {
  // 10 USD per 1,000 searches, 2.50 USD per 1,000 file searches, 0.03 USD per container of the default size.
  openai: { webSearches: "0.01", fileSearches: "0.0025", codeContainers: "0.03" },
  azure: { fileSearches: "0.0025", codeContainers: "0.03" },
  // 10 USD per 1,000 searches. Web fetches are free.
  anthropic: { webSearches: "0.01" },
  // Gemini 3: 14 USD per 1,000 queries. Gemini 2: 35 USD per 1,000 grounded prompts. Free allowances of an account are
  // not known here.
  google: { groundingQueries: "0.014", groundedRequests: "0.035" },
}

/** Returns the fees of a provider of the catalog as a row without a model. */
export function feesOf(provider: string): Row | undefined {
  const base = FEES[provider]
  return base && { model: "", source: "majordomo", date: OWN_DATE, base, tiers: [] }
}
