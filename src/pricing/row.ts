import type { RateName, Rates } from "../core/cost.ts"
import type { Bucket, Units } from "../core/usage.ts"

/** The price of one model in one source. Rates are in USD, per million tokens or per piece, as in `Rates`. */
export interface Row {
  /** The id of the model, as the source spells it. */
  readonly model: string
  readonly source: SourceName
  /** The day of the source, or of this price in it, `YYYY-MM-DD`. */
  readonly date: string | undefined
  readonly base: Rates
  /** The rates of a whole request with more than `above` tokens, in ascending order. */
  readonly tiers: readonly { readonly above: number; readonly rates: Rates }[]
}

export type SourceName =
  | "overrides"
  | "fallback_file"
  | "llm-prices.com"
  | "genai-prices"
  | "litellm"
  /** Our own models and fees, where the other sources have none or a wrong one: `own-models.ts`, `fees.ts`. */
  | "majordomo"

/** The sources that are fetched, and whose changes are remembered. */
export const FETCHED_SOURCES = ["llm-prices.com", "genai-prices", "litellm"] as const satisfies readonly SourceName[]

export type FetchedSource = (typeof FETCHED_SOURCES)[number]

const BUCKET_NAMES: { readonly [K in Bucket]: true } = {
  input: true,
  inputAudio: true,
  inputImage: true,
  cacheRead: true,
  cacheReadAudio: true,
  cacheReadImage: true,
  cacheWrite: true,
  cacheWrite1h: true,
  output: true,
  reasoning: true,
  outputAudio: true,
  outputImage: true,
}
const UNIT_NAMES: { readonly [K in keyof Units]-?: true } = {
  webSearches: true,
  fileSearches: true,
  groundingQueries: true,
  groundedRequests: true,
  codeContainers: true,
  audioSeconds: true,
  images: true,
}

export const RATE_NAMES = [...Object.keys(BUCKET_NAMES), ...Object.keys(UNIT_NAMES)] as readonly RateName[]

export function isBucket(name: RateName): name is Bucket {
  return name in BUCKET_NAMES
}
