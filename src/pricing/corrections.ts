import type { Rates } from "../core/cost.ts"
import type { ListedPrice } from "./listed-price.ts"

interface Correction {
  readonly vendor: string
  readonly id: string
  /** The wrong prices of the list. Once it shows other prices, the correction no longer applies. */
  readonly shown: readonly [input: number, output: number, inputCached: number | null]
  /** The right rates; undefined if the list should not have the row. */
  readonly right: Rates | undefined
  /** The days on which these rates are right: `from` is the first of them, `until` the first day after them. */
  readonly from?: string
  readonly until?: string
  readonly source: string
}

/** Rows of llm-prices.com (read on 2026-08-05) that genai-prices or others contradict, and where these are right. */
export const CORRECTIONS: readonly Correction[] = [
  {
    vendor: "openai",
    id: "o3",
    shown: [10, 40, 0.5],
    right: { input: "2", output: "8", cacheRead: "0.5" },
    from: "2025-06-10",
    source: "genai-prices: price cut of 2025-06-10",
  },
  {
    vendor: "anthropic",
    id: "claude-sonnet-5",
    shown: [3, 15, null],
    right: { input: "2", output: "10", cacheRead: "0.2" },
    from: "2026-09-01",
    source: "yiliangs/agent-usage-stat#81 and genai-prices: the rise announced for 2026-09-01 was called off",
  },
  {
    vendor: "openai",
    id: "gpt-5.6-sol",
    shown: [5, 30, 0.5],
    right: { input: "4", output: "20", cacheRead: "0.4" },
    from: "2026-08-21",
    source: "genai-prices: price cut of 2026-08-21",
  },
  {
    vendor: "openai",
    id: "gpt-5.6-sol-272k",
    shown: [10, 45, 1],
    right: { input: "8", output: "30", cacheRead: "0.8" },
    from: "2026-08-21",
    source: "genai-prices: price cut of 2026-08-21",
  },
  {
    vendor: "google",
    id: "gemini-3.6-flash",
    shown: [1.5, 7.5, 0.15],
    right: { input: "0.75", output: "3.75", cacheRead: "0.075" },
    until: "2027-01-01",
    source: "genai-prices: introductory rates through 2026-12-31",
  },
  {
    vendor: "deepseek",
    id: "deepseek-v4-flash",
    shown: [0.14, 0.28, 0.028],
    right: { input: "0.22", output: "0.66", cacheRead: "0.007" },
    from: "2026-08-17",
    source: "genai-prices: new rates from 2026-08-17, twice as much in peak hours",
  },
  {
    vendor: "deepseek",
    id: "deepseek-v4-pro",
    shown: [1.74, 3.48, 0.145],
    right: { input: "0.66", output: "1.98", cacheRead: "0.022" },
    from: "2026-08-17",
    source: "genai-prices: new rates from 2026-08-17, twice as much in peak hours",
  },
  {
    vendor: "openai",
    id: "gpt-image-1",
    shown: [10, 40, 1.25],
    right: {
      input: "5",
      cacheRead: "1.25",
      inputImage: "10",
      cacheReadImage: "2.5",
      output: "40",
      outputImage: "40",
    },
    source: "genai-prices: the list shows the image rate as the text rate",
  },
  {
    vendor: "anthropic",
    id: "claude-sonnet-4.5-200k",
    shown: [6, 22.5, null],
    right: undefined,
    from: "2026-05-01",
    source: "second-hand: the 1M-token beta of Sonnet 4 and 4.5 ended on 2026-04-30",
  },
]

/** Returns the rates of a row, corrected while it shows prices that are known to be wrong; undefined if it must not count. */
export function correct(row: ListedPrice, rates: Rates, at: number): Rates | undefined {
  const correction = CORRECTIONS.find((each) => each.vendor === row.vendor && each.id === row.id)
  if (!correction) return rates
  const [input, output, cached] = correction.shown
  const isShown = row.input === input && row.output === output && row.input_cached === cached
  const holds =
    (correction.from === undefined || at >= Date.parse(correction.from)) &&
    (correction.until === undefined || at < Date.parse(correction.until))
  return isShown && holds ? correction.right : rates
}
