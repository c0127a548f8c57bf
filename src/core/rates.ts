import type { RateName } from "./cost.ts"
import { BUCKETS, type Bucket, type Units } from "./usage.ts"

const UNITS = {
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
  characters: true,
  videoSeconds: true,
  pages: true,
} as const satisfies { readonly [K in keyof Units]-?: true }

/** All names of rates: the token buckets, then the units. */
export const RATE_NAMES: readonly RateName[] = [...BUCKETS, ...(Object.keys(UNITS) as (keyof Units)[])]

/** The rates by their names in files and settings: `cache_read` is `cacheRead`. */
export const RATES_BY_KEY: ReadonlyMap<string, RateName> = new Map(RATE_NAMES.map((name) => [toRateLabel(name), name]))

/** Returns true for the name of a rate per million tokens; all other rates are per piece. */
export function isBucket(name: RateName): name is Bucket {
  return !(name in UNITS)
}

/** Returns the name of a rate in snake case, as files and JSON have it: `cacheWrite1h` -> `cache_write_1h`. */
export function toRateLabel(name: RateName): string {
  return name.replace(/\d+h$/, "_$&").replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
