import type { RateName, Rates } from "../core/cost.ts"
import type { Bucket, Units } from "../core/usage.ts"

/** What one source says of one model. Rates as in `Rates`: USD per million tokens, or per piece. */
export interface Row {
  /** The model's id in the source's own spelling. */
  readonly model: string
  readonly source: SourceName
  /** `YYYY-MM-DD`: the day that the source, or this price in it, is from. */
  readonly date: string | undefined
  readonly base: Rates
  /** For a whole request above so many tokens; ascending. */
  readonly tiers: readonly { readonly above: number; readonly rates: Rates }[]
}

export type SourceName =
  | "overrides"
  | "fallback_file"
  | "llm-prices.com"
  | "genai-prices"
  /** Rows and fees of our own, where the catalogues have none or a wrong one: `own-models.ts`, `fees.ts`. */
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
