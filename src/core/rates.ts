import type { RateName } from "./cost.ts"
import type { Bucket, Units } from "./usage.ts"

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

/** The rates by their names in files and settings: `cache_read` is `cacheRead`. */
export const RATES_BY_KEY: ReadonlyMap<string, RateName> = new Map(RATE_NAMES.map((name) => [toSnake(name), name]))

export function isBucket(name: RateName): name is Bucket {
  return name in BUCKET_NAMES
}

function toSnake(name: string): string {
  return name.replace(/\d+h$/, "_$&").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
