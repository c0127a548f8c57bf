import { createTable } from "../core/table.ts"
import type { CatalogModel, OwnModel } from "./catalog-model.ts"
import { PIECE_MODELS } from "./piece-models.ts"

/** The day on which our own models were last checked. Each names the origin of its prices. */
export const OWN_DATE = "2026-11-28"

const SONNET_4 = {
  short: { input_mtok: 3, cache_write_mtok: 3.75, cache_write_1h_mtok: 6, cache_read_mtok: 0.3, output_mtok: 15 },
  long: {
    input_mtok: { base: 3, tiers: [{ start: 200_000, price: 6 }] },
    cache_write_mtok: { base: 3.75, tiers: [{ start: 200_000, price: 7.5 }] },
    cache_write_1h_mtok: { base: 6, tiers: [{ start: 200_000, price: 12 }] },
    cache_read_mtok: { base: 0.3, tiers: [{ start: 200_000, price: 0.6 }] },
    output_mtok: { base: 15, tiers: [{ start: 200_000, price: 22.5 }] },
  },
} as const

/** Until 2026-04-30, during the beta of 1M tokens, prompts over 200k tokens of Sonnet 4 and 4.5 cost more. */
const sonnet4Prices: CatalogModel["prices"] = [
  { prices: { ...SONNET_4.long, web_searches_kcount: 10 } },
  {
    constraint: { type: "start_date", start_date: "2026-05-01" },
    prices: { ...SONNET_4.short, web_searches_kcount: 10 },
  },
]

const MYTHOS = {
  input_mtok: 10,
  cache_write_mtok: 12.5,
  cache_write_1h_mtok: 20,
  output_mtok: 50,
  web_searches_kcount: 10,
} as const

/** Fine-tuned models, in USD per million tokens. genai-prices has no cached rate for GPT-4o, and lacks GPT-4.1. */
const FINE_TUNED: readonly OwnModel[] = [
  fineTuned("ft:gpt-4o", "ft:gpt-4o-2024-", [3.75, 1.875, 15]),
  fineTuned("ft:gpt-4o-mini", "ft:gpt-4o-mini-2024-", [0.3, 0.15, 1.2]),
  fineTuned("ft:gpt-4.1", "ft:gpt-4.1-2025-", [3, 0.75, 12]),
  fineTuned("ft:gpt-4.1-mini", "ft:gpt-4.1-mini-2025-", [0.8, 0.2, 3.2]),
  fineTuned("ft:gpt-4.1-nano", "ft:gpt-4.1-nano-2025-", [0.2, 0.05, 0.8]),
]

function fineTuned(id: string, start: string, [input, cached, output]: readonly [number, number, number]): OwnModel {
  return {
    id,
    origin: "openai2025",
    match: { starts_with: start },
    prices: { input_mtok: input, cache_read_mtok: cached, output_mtok: output },
  }
}

/**
 * The audio input of a transcription costs what its text does (OpenAI's model pages). It cost more before, and the day of
 * the change is not known: OpenAI's page of July 2025 and genai-prices on its day have the old price. So the new one begins
 * a day later, and audio before that day is estimated.
 */
function transcriptionPrices(of: { text: number; audioBefore: number; output: number }): CatalogModel["prices"] {
  const prices = { input_mtok: of.text, output_mtok: of.output }
  return [
    {
      prices: { ...prices, input_audio_mtok: of.audioBefore },
      unsure: { inputAudio: "the day on which the price of audio input changed is not known" },
    },
    {
      constraint: { type: "start_date", start_date: "2026-09-24" },
      prices: { ...prices, input_audio_mtok: of.text },
    },
  ]
}

function mythos(id: string, read: number): OwnModel {
  return { id, origin: "anthropic2026", match: { equals: id }, prices: { ...MYTHOS, cache_read_mtok: read } }
}

const FIRST_AUDIO_PRICE = "the price of audio of the first snapshot is from no dated source"

/**
 * Models that genai-prices 0.1.8 lacks or has wrong, in its own shape. A model replaces the one with the same id there.
 * Our models are matched first, so that a loose rule of genai-prices cannot claim their names.
 */
export const OWN_MODELS: Readonly<Record<string, readonly OwnModel[]>> = createTable({
  anthropic: [
    // genai-prices lacks the long-context tier of the 1M beta.
    { id: "claude-sonnet-4-0", origin: "llmPrices", prices: sonnet4Prices },
    // genai-prices keeps that tier after the end of the beta.
    { id: "claude-sonnet-4-5", origin: "llmPrices", prices: sonnet4Prices },
    // genai-prices 0.1.8 lacks Mythos.
    mythos("claude-mythos-5", 1),
    mythos("claude-mythos-5-1", 0.25),
  ],
  aws: [
    {
      // genai-prices matches the first version, at five times the price.
      id: "amazon.titan-embed-text-v2:0",
      origin: "litellmAlone",
      match: { starts_with: "amazon.titan-embed-text-v2" },
      prices: { input_mtok: 0.02 },
    },
  ],
  google: [
    {
      // genai-prices matches gemini-1.5-flash, at twice the price.
      id: "gemini-1.5-flash-8b",
      origin: "llmPrices",
      match: { or: [{ starts_with: "gemini-1.5-flash-8b" }] },
      prices: {
        input_mtok: { base: 0.0375, tiers: [{ start: 128_000, price: 0.075 }] },
        cache_read_mtok: { base: 0.01, tiers: [{ start: 128_000, price: 0.02 }] },
        output_mtok: { base: 0.15, tiers: [{ start: 128_000, price: 0.3 }] },
      },
    },
    ...PIECE_MODELS.google,
  ],
  openai: [
    ...FINE_TUNED,
    ...PIECE_MODELS.openai,
    {
      id: "davinci-002",
      origin: "openai2025",
      match: { equals: "davinci-002" },
      prices: { input_mtok: 2, output_mtok: 2 },
    },
    {
      id: "babbage-002",
      origin: "openai2025",
      match: { equals: "babbage-002" },
      prices: { input_mtok: 0.4, output_mtok: 0.4 },
    },
    {
      id: "gpt-4o-audio-preview-2024-10-01",
      origin: "openai2025",
      match: { equals: "gpt-4o-audio-preview-2024-10-01" },
      prices: [
        {
          prices: { input_mtok: 2.5, output_mtok: 10, input_audio_mtok: 100, output_audio_mtok: 200 },
          unsure: { inputAudio: FIRST_AUDIO_PRICE, outputAudio: FIRST_AUDIO_PRICE },
        },
      ],
    },
    {
      // genai-prices has no audio rates for it, so audio would cost a sixteenth.
      id: "gpt-4o-audio-preview",
      origin: "openai2025",
      prices: { input_mtok: 2.5, output_mtok: 10, input_audio_mtok: 40, output_audio_mtok: 80 },
    },
    {
      id: "gpt-4o-transcribe",
      origin: "openaiModels",
      prices: transcriptionPrices({ text: 2.5, audioBefore: 6, output: 10 }),
    },
    {
      id: "gpt-4o-mini-transcribe",
      origin: "openaiModels",
      prices: transcriptionPrices({ text: 1.25, audioBefore: 3, output: 5 }),
    },
    {
      id: "gpt-4o-mini-audio-preview",
      origin: "openai2025",
      prices: { input_mtok: 0.15, output_mtok: 0.6, input_audio_mtok: 10, output_audio_mtok: 20 },
    },
  ],
})
