import { createTable } from "../core/table.ts"

/**
 * Model names in answers that the rules of the catalog miss or match wrongly: by provider of the catalog, the id of the
 * model by its name.
 */
export const MODEL_ALIASES: Readonly<Record<string, Readonly<Record<string, string>>>> = createTable({
  anthropic: createTable({ "claude-2.0": "claude-2", "claude-2.1": "claude-2" }),
  openai: createTable({
    // Answers of davinci-002 and babbage-002. A rule would match davinci, which costs ten times as much.
    "davinci:2023-07-21-v2": "davinci-002",
    "babbage:2023-07-21-v2": "babbage-002",
    "gpt-4o-transcribe-diarize-2025-10-15": "gpt-4o-transcribe",
  }),
  // Mantle's names. Those of Bedrock itself end in a version.
  aws: createTable({
    "openai.gpt-oss-20b": "openai.gpt-oss-20b-1:0",
    "openai.gpt-oss-120b": "openai.gpt-oss-120b-1:0",
  }),
  google: createTable({
    "gemini-embedding-2-preview": "gemini-embedding-2",
    "gemini-1.5-flash-8b-latest": "gemini-1.5-flash-8b",
  }),
})

/** The ids of llm-prices.com that differ from those of the catalog, by the catalog's `provider/model`. */
export const LLM_PRICES_IDS: Readonly<Record<string, string>> = createTable({
  "anthropic/claude-3-5-haiku-latest": "claude-3.5-haiku",
  "anthropic/claude-3-5-sonnet": "claude-3.5-sonnet",
  "anthropic/claude-3-7-sonnet-latest": "claude-3.7-sonnet",
  "anthropic/claude-3-opus-latest": "claude-3-opus",
  "anthropic/claude-haiku-4-5": "claude-4.5-haiku",
  "anthropic/claude-opus-4-0": "claude-opus-4",
  // The list has one row for both: "Claude Sonnet 4 and 4.5".
  "anthropic/claude-sonnet-4-0": "claude-sonnet-4.5",
  "anthropic/claude-sonnet-4-5": "claude-sonnet-4.5",
  "google/gemini-3.1-pro-preview": "gemini-3-1-pro-preview",
  "google/gemini-3.1-flash-lite": "gemini-3.1-flash-lite-preview",
  "mistral/codestral": "codestral-latest",
  "mistral/magistral-medium": "magistral-medium-latest",
  "mistral/mistral-7b": "open-mistral-7b",
  "mistral/mistral-large": "mistral-large-latest",
  "mistral/mistral-medium-3-1": "mistral-medium-2505",
  "mistral/mistral-saba": "mistral-saba-latest",
  "mistral/mixtral-8x7b": "open-mixtral-8x7b",
  "mistral/pixtral-large": "pixtral-large-latest",
  "openai/gpt-4.5-preview": "gpt-4.5",
  "x-ai/grok-4-0709": "grok-4",
  "x-ai/grok-4-fast-reasoning": "grok-4-fast-reasoning",
})
