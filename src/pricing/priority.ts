import { createTable } from "../core/table.ts"
import type { OriginName } from "./origins.ts"

/** A multiple of the list price, and where it was read. */
export type Multiple = readonly [value: string, origin: OriginName]

/**
 * The price of OpenAI's priority tier as a multiple of the list price, by model of the catalog. It is the same for
 * input, cached input and output. A multiple that is not a short decimal (gpt-4o-mini: 0.15 to 0.25 USD) has 18 digits,
 * more than the rounding of a line can show. The price of a model that is not in the table is marked as estimated.
 */
export const PRIORITY: Readonly<Record<string, Multiple>> = createTable({
  "gpt-4.1": ["1.75", "openaiPriority"],
  "gpt-4.1-mini": ["1.75", "litellmPriority"],
  "gpt-4.1-nano": ["2", "litellmPriority"],
  "gpt-4o": ["1.7", "litellmPriority"],
  "gpt-4o-2024-05-13": ["1.75", "litellmPriority"],
  "gpt-4o-mini": ["1.666666666666666667", "litellmPriority"],
  "gpt-5": ["2", "openaiPriority"],
  "gpt-5-mini": ["1.8", "openaiPriority"],
  "gpt-5.1": ["2", "openaiPriority"],
  "gpt-5.1-codex-mini": ["1.8", "litellmPriority"],
  "gpt-5.2": ["2", "openaiPriority"],
  "gpt-5.3": ["2", "litellmPriority"],
  "gpt-5.3-codex": ["2", "litellmPriority"],
  "gpt-5.4": ["2", "openaiPriority"],
  "gpt-5.4-mini": ["2", "openaiPriority"],
  // LiteLLM's map has 2; the page has 12.50 USD for 5.
  "gpt-5.5": ["2.5", "openaiPriority"],
  "gpt-5.6-luna": ["2", "openaiPriority"],
  "gpt-5.6-sol": ["2", "openaiPriority"],
  "gpt-5.6-terra": ["2", "openaiPriority"],
  "gpt-6-astra": ["2", "astraPriority"],
  "gpt-6-luna": ["2", "gpt6Priority"],
  "gpt-6-sol": ["2", "gpt6Priority"],
  o3: ["1.75", "litellmPriority"],
  "o4-mini": ["1.818181818181818182", "litellmPriority"],
})

/** The price of OpenAI's ultrafast tier as a multiple of the list price. The second list is Vercel's changelog. */
export const ULTRAFAST: Readonly<Record<string, Multiple>> = createTable({ "gpt-6-astra": ["6", "litellm2026"] })

/** The price of Anthropic's fast mode as a multiple of the list price. */
export const FAST: Readonly<Record<string, Multiple>> = createTable({
  "claude-opus-4-6": ["6", "anthropic2026"],
  "claude-opus-4-7": ["6", "anthropicFast"],
  "claude-opus-4-8": ["2", "anthropicFast"],
  "claude-opus-5": ["2", "anthropicFast"],
  "claude-opus-5-5": ["2", "anthropicFast"],
})

/** The price of work that can wait as a multiple of the list price, by tier and provider. */
export const WAITING: Readonly<Record<string, Readonly<Record<string, Multiple>>>> = createTable({
  batch: createTable<Multiple>({
    openai: ["0.5", "openaiBatch"],
    azure: ["0.5", "azureBatch"],
    anthropic: ["0.5", "anthropic2026"],
    google: ["0.5", "googleTiers"],
    groq: ["0.5", "remembered"],
    mistral: ["0.5", "remembered"],
  }),
  flex: createTable<Multiple>({
    openai: ["0.5", "openai2025"],
    azure: ["0.5", "azureBatch"],
    google: ["0.5", "googleTiers"],
    // Groq's flex tier costs as much as on-demand.
    groq: ["1", "remembered"],
  }),
})

/** Gemini's priority tier: models 2.5 and 3 that have one. The price of newer models is not known. */
export const GEMINI_PRIORITY: Multiple = ["1.8", "geminiPriority"]

/** The rise of the price where data stays in one region: `us` at Anthropic, `us` and `eu` at OpenAI. */
export const REGIONS: Readonly<Record<string, Multiple>> = createTable({
  anthropic: ["1.1", "anthropic2026"],
  openai: ["1.1", "openaiRegions"],
})
