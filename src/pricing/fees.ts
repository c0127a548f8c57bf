import type { RateName, Rates } from "../core/cost.ts"
import type { Units } from "../core/usage.ts"
import type { Row } from "./row.ts"

/** The day on which the sources of the fees were read. */
const FEES_DATE = "2026-11-28"

/** The fee of one tool for the models whose id in the catalog fits. */
interface Fee {
  readonly models: RegExp
  readonly tool: keyof Units
  /** USD per piece. */
  readonly rate: string
  /** The reason why the fee may be another one; undefined if the sources agree. */
  readonly doubt?: string
}

const ANY_MODEL = /^/
/** OpenAI's models that reason, and those that do not: the older search tool has a fee for each. */
const REASONING = /^(?:gpt-(?:[5-9]|\d\d)|o\d)/
const NOT_REASONING = /^gpt-4(?:o|\.1)/

const UNSTATED_SEARCHES = "a search model does not state its searches: counted as one"

/**
 * The fees that providers charge by the piece, by the provider's id in the catalog. The first fee that fits counts. A
 * tool without a fee for the model is left out of the sum, which makes the cost an estimate.
 *
 * No fee was read on the provider's own page. Each comment names where it was read, and when.
 */
const FEES: Readonly<Record<string, readonly Fee[]>> = {
  openai: [
    // 10 USD per 1,000 searches, whatever the model. For 4o-mini and 4.1-mini the page adds a block of 8,000 tokens per
    // search (modelcostwatch.com, checked by it on 2026-03-12; community.openai.com/t/1363698; BerriAI/litellm#31316).
    {
      models: /^gpt-4(?:o|\.1)-mini/,
      tool: "webSearches",
      rate: "0.01",
      doubt: "each search of this model may be billed 8,000 input tokens more than the answer states",
    },
    { models: ANY_MODEL, tool: "webSearches", rate: "0.01" },
    // The same three sources: 10 USD per 1,000 with models that reason, 25 USD with those that do not.
    { models: REASONING, tool: "webSearchPreviews", rate: "0.01" },
    { models: NOT_REASONING, tool: "webSearchPreviews", rate: "0.025" },
    // Search models in chat: 25 USD per 1,000 in a copy of new-api's tools.go, 35 USD at openrouter.ai/openai/
    // gpt-4o-search-preview (both read on 2026-11-28).
    {
      // The catalog has gpt-4o-mini-search-preview as gpt-4o-mini.
      models: /^gpt-4o(?:-mini$|(?:-mini)?-search)/,
      tool: "searchAnswers",
      rate: "0.025",
      doubt: "sources name 0.025 and 0.035 USD for a search of this model",
    },
    { models: /^gpt-5-search/, tool: "searchAnswers", rate: "0.01", doubt: UNSTATED_SEARCHES },
    // 2.50 USD per 1,000 file searches (genai-prices), 0.03 USD per container of 1 GB (OpenAI's list as remembered).
    { models: ANY_MODEL, tool: "fileSearches", rate: "0.0025" },
    { models: ANY_MODEL, tool: "codeContainers", rate: "0.03" },
  ],
  azure: [
    { models: ANY_MODEL, tool: "fileSearches", rate: "0.0025" },
    { models: ANY_MODEL, tool: "codeContainers", rate: "0.03" },
  ],
  // 10 USD per 1,000 searches (genai-prices; BerriAI/litellm#27621). Web fetches are free.
  anthropic: [{ models: ANY_MODEL, tool: "webSearches", rate: "0.01" }],
  // Free allowances of an account are not known here. Gemini 3: 14 USD per 1,000 queries to Search or to Maps. Gemini 2:
  // 35 USD per 1,000 prompts grounded with Search (BerriAI/litellm#24369), 25 USD with Maps (discuss.ai.google.dev
  // /t/128770, which quotes the page). Maps of both: release notes of iyulab/TokenMeter 0.14.0. All read on 2026-11-28.
  google: [
    { models: ANY_MODEL, tool: "groundingQueries", rate: "0.014" },
    { models: ANY_MODEL, tool: "groundedRequests", rate: "0.035" },
    { models: ANY_MODEL, tool: "mapsQueries", rate: "0.014" },
    { models: ANY_MODEL, tool: "mapsRequests", rate: "0.025" },
  ],
}

/** Returns the fees of a model at a provider of the catalog, as a row; undefined if none is known. */
export function feesOf(provider: string, model: string): Row | undefined {
  const fees = FEES[provider]
  if (!fees) return undefined
  const base: { [K in RateName]?: string } = {}
  const unsure: { [K in RateName]?: string } = {}
  for (const { models, tool, rate, doubt } of fees) {
    if (base[tool] !== undefined || !models.test(model)) continue
    base[tool] = rate
    if (doubt !== undefined) unsure[tool] = doubt
  }
  return { model: "", source: "majordomo", date: FEES_DATE, base: base as Rates, unsure, tiers: [] }
}
