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
  /** Rates of `base` that may be wrong, with the reason. */
  readonly unsure?: { readonly [K in RateName]?: string }
  /** The rates of a whole request with more than `above` tokens, in ascending order. */
  readonly tiers: readonly { readonly above: number; readonly rates: Rates }[]
}

export type SourceName =
  | "overrides"
  | "fallback_file"
  | "llm-prices.com"
  | "genai-prices"
  /** Our own models and fees, where the other sources have none or a wrong one: `own-models.ts`, `fees.ts`. */
  | "majordomo"

const BUCKET_NAMES: { readonly [K in Bucket]: true } = {
  input: true,
  inputAudio: true,
  inputImage: true,
  cacheRead: true,
  cacheReadAudio: true,
  cacheReadImage: true,
  cacheWrite: true,
  cacheWrite1h: true,
  cacheWrite12h: true,
  output: true,
  reasoning: true,
  outputAudio: true,
  outputImage: true,
}
const UNIT_NAMES: { readonly [K in keyof Units]-?: true } = {
  webSearches: true,
  webSearchPreviews: true,
  searchAnswers: true,
  fileSearches: true,
  groundingQueries: true,
  groundedRequests: true,
  mapsQueries: true,
  mapsRequests: true,
  codeContainers: true,
  audioSeconds: true,
  images: true,
}

export const RATE_NAMES = [...Object.keys(BUCKET_NAMES), ...Object.keys(UNIT_NAMES)] as readonly RateName[]

export function isBucket(name: RateName): name is Bucket {
  return name in BUCKET_NAMES
}
