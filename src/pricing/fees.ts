import type { Rates } from "../core/cost.ts"
import { OWN_DATE } from "./own-models.ts"
import type { Row } from "./row.ts"

/**
 * What providers charge by the piece for any model, in USD. Searches: as several metering projects agree (BerriAI/litellm
 * #24369, #31316); containers: OpenAI's list as remembered. None was read on a price page on `OWN_DATE`.
 */
const FEES: Readonly<Record<string, Rates>> = {
  // $10 per 1,000 searches, $2.50 per 1,000 file searches, $0.03 per container of the default size.
  openai: { webSearches: "0.01", fileSearches: "0.0025", codeContainers: "0.03" },
  azure: { fileSearches: "0.0025", codeContainers: "0.03" },
  // $10 per 1,000 searches; web fetches are free.
  anthropic: { webSearches: "0.01" },
  // Gemini 3: $14 per 1,000 queries; Gemini 2: $35 per 1,000 grounded prompts. Free allowances are the account's.
  google: { groundingQueries: "0.014", groundedRequests: "0.035" },
}

export function feesOf(provider: string): Row | undefined {
  const base = FEES[provider]
  return base && { model: "", source: "majordomo", date: OWN_DATE, base, tiers: [] }
}
