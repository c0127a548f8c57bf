import type { BundledModel } from "./bundled.ts"

/** The day on which our own rows and fees were written down, from second-hand lists: no price page was read for them. */
export const OWN_DATE = "2026-11-21"

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

/** Prompts over 200k tokens of Sonnet 4 and 4.5 cost more while the 1M-token beta ran: until 2026-04-30. */
const sonnet4Prices: BundledModel["prices"] = [
  { prices: { ...SONNET_4.long, web_searches_kcount: 10 } },
  {
    constraint: { type: "start_date", start_date: "2026-05-01" },
    prices: { ...SONNET_4.short, web_searches_kcount: 10 },
  },
]

/**
 * Models that genai-prices 0.1.8 lacks or gets wrong, in its own shape. A row with the id of a model there takes its
 * place; a row without one is asked first, so a loose rule there cannot claim its names.
 */
export const OWN_MODELS: Readonly<Record<string, readonly BundledModel[]>> = {
  anthropic: [
    // Lacks the long-context tier of the 1M beta.
    { id: "claude-sonnet-4-0", prices: sonnet4Prices },
    // Keeps that tier after the end of the beta.
    { id: "claude-sonnet-4-5", prices: sonnet4Prices },
  ],
  google: [
    {
      // Falls to gemini-1.5-flash there, at twice the price. Rates: its row `gemini-flash-1.5-8b`, and llm-prices.com.
      id: "gemini-1.5-flash-8b",
      match: { or: [{ starts_with: "gemini-1.5-flash-8b" }] },
      prices: {
        input_mtok: { base: 0.0375, tiers: [{ start: 128_000, price: 0.075 }] },
        cache_read_mtok: { base: 0.01, tiers: [{ start: 128_000, price: 0.02 }] },
        output_mtok: { base: 0.15, tiers: [{ start: 128_000, price: 0.3 }] },
      },
    },
  ],
  openai: [
    // Rates of these and of the audio models: OpenAI's list as remembered, not re-read.
    { id: "davinci-002", match: { equals: "davinci-002" }, prices: { input_mtok: 2, output_mtok: 2 } },
    { id: "babbage-002", match: { equals: "babbage-002" }, prices: { input_mtok: 0.4, output_mtok: 0.4 } },
    {
      id: "gpt-4o-audio-preview-2024-10-01",
      match: { equals: "gpt-4o-audio-preview-2024-10-01" },
      prices: { input_mtok: 2.5, output_mtok: 10, input_audio_mtok: 100, output_audio_mtok: 200 },
    },
    {
      // Has no audio rates there, so audio would cost a sixteenth.
      id: "gpt-4o-audio-preview",
      prices: { input_mtok: 2.5, output_mtok: 10, input_audio_mtok: 40, output_audio_mtok: 80 },
    },
    {
      id: "gpt-4o-mini-audio-preview",
      prices: { input_mtok: 0.15, output_mtok: 0.6, input_audio_mtok: 10, output_audio_mtok: 20 },
    },
  ],
}
