import type { RateName, Rates } from "../core/cost.ts"
import { createTable } from "../core/table.ts"
import type { Units } from "../core/usage.ts"
import { doubtOfOrigin, type OriginName } from "./origins.ts"
import type { Row } from "./row.ts"

/** The day on which the fees were last checked. */
const FEES_DATE = "2026-11-28"

/** The fee of one tool for the models whose id in the catalog fits. */
interface Fee {
  readonly models: RegExp
  readonly tool: keyof Units
  /** USD per piece. */
  readonly rate: string
  readonly origin: OriginName
  /** The reason why the fee may be another one; undefined if the sources agree. */
  readonly doubt?: string
}

const ANY_MODEL = /^/
/** OpenAI's models that reason, and those that do not: the older search tool has a fee for each. */
const REASONING = /^(?:gpt-(?:[5-9]|\d\d)|o\d)/
const NOT_REASONING = /^gpt-4(?:o|\.1)/

const UNSTATED_SEARCHES = "a search model does not state its searches: counted as one"

/**
 * The fees of tools that providers charge by the piece, by the provider's id in the catalog. The first fee that fits counts.
 * A tool without a fee for the model is left out of the sum, which makes the cost an estimate.
 */
export const FEES: Readonly<Record<string, readonly Fee[]>> = createTable({
  openai: [
    // 10 USD per 1,000 searches, whatever the model. For 4o-mini and 4.1-mini the page adds a block of 8,000 tokens.
    {
      models: /^gpt-4(?:o|\.1)-mini/,
      tool: "webSearches",
      rate: "0.01",
      origin: "searchFees",
      doubt: "each search of this model may be billed 8,000 input tokens more than the answer states",
    },
    { models: ANY_MODEL, tool: "webSearches", rate: "0.01", origin: "searchFees" },
    // 10 USD per 1,000 with models that reason, 25 USD with those that do not.
    { models: REASONING, tool: "webSearchPreviews", rate: "0.01", origin: "openai2025" },
    { models: NOT_REASONING, tool: "webSearchPreviews", rate: "0.025", origin: "openai2025" },
    {
      // The catalog has gpt-4o-mini-search-preview as gpt-4o-mini.
      models: /^gpt-4o(?:-mini$|(?:-mini)?-search)/,
      tool: "searchAnswers",
      rate: "0.025",
      origin: "searchModels",
      doubt: "sources name 0.025 and 0.035 USD for a search of this model",
    },
    {
      models: /^gpt-5-search/,
      tool: "searchAnswers",
      rate: "0.01",
      origin: "searchFees",
      doubt: UNSTATED_SEARCHES,
    },
    { models: ANY_MODEL, tool: "fileSearches", rate: "0.0025", origin: "openai2025" },
    // A container of 1 GB.
    { models: ANY_MODEL, tool: "codeContainers", rate: "0.03", origin: "openai2025" },
  ],
  azure: [
    { models: ANY_MODEL, tool: "fileSearches", rate: "0.0025", origin: "azureAsOpenai" },
    { models: ANY_MODEL, tool: "codeContainers", rate: "0.03", origin: "azureAsOpenai" },
  ],
  // Web fetches are free.
  anthropic: [{ models: ANY_MODEL, tool: "webSearches", rate: "0.01", origin: "anthropicSearch" }],
  // Free allowances of an account are not known here. Gemini 3: 14 USD per 1,000 queries to Search or to Maps. Gemini 2:
  // 35 USD per 1,000 prompts grounded with Search, 25 USD with Maps.
  google: [
    { models: ANY_MODEL, tool: "groundingQueries", rate: "0.014", origin: "googlePage" },
    { models: ANY_MODEL, tool: "groundedRequests", rate: "0.035", origin: "googlePage" },
    { models: ANY_MODEL, tool: "mapsQueries", rate: "0.014", origin: "mapsFees" },
    { models: ANY_MODEL, tool: "mapsRequests", rate: "0.025", origin: "mapsFees" },
  ],
})

/** Returns the fees of a model at a provider of the catalog, as a row; undefined if none is known. */
export function feesOf(provider: string, model: string): Row | undefined {
  const fees = FEES[provider]
  if (!fees) return undefined
  const base: { [K in RateName]?: string } = {}
  const unsure: { [K in RateName]?: string } = {}
  for (const {
    models,
    tool,
    rate,
    origin,
    doubt = doubtOfOrigin(`the fee of ${tool} at ${provider}`, origin),
  } of fees) {
    if (base[tool] !== undefined || !models.test(model)) continue
    base[tool] = rate
    if (doubt !== undefined) unsure[tool] = doubt
  }
  return { model: "", source: "majordomo", date: FEES_DATE, base: base as Rates, unsure, tiers: [] }
}
