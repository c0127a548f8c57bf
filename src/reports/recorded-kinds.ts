import type { RateName } from "../core/cost.ts"
import type { Bucket } from "../core/reconciliation.ts"
import { BUCKETS } from "../core/usage.ts"

const IS_ESTIMATED = "r.usage_source = 'estimated' OR r.source = 'telemetry'"

/** The `RecordedKind` of a request whose certificate has lines. */
export const KIND_OF_PRICED = `CASE WHEN ${IS_ESTIMATED} THEN 'estimated' ELSE 'metered' END`

/**
 * The `RecordedKind` of a request, as SQL: how well its usage is known. A client's report does not tell all that is billed, so
 * that a difference beside it is one of an estimate.
 */
export const KIND = `CASE
    WHEN ${IS_ESTIMATED} THEN 'estimated'
    WHEN r.usage_source = 'reported' OR jsonb_array_length(coalesce(r.price -> 'lines', '[]')) > 0 THEN 'metered'
    WHEN r.id IN (SELECT created_by FROM llm_jobs WHERE settled_at IS NULL AND created_by IS NOT NULL) THEN 'pending'
    WHEN r.outcome <> 'complete' THEN 'cut_off'
    WHEN r.status_code >= 400 THEN 'failed'
    ELSE 'unreported' END`

/** The token columns as buckets that do not overlap, for requests whose certificate has no lines. */
export const PLAIN_BUCKETS = {
  plain_input: { bucket: "input", sql: "r.input_tokens - r.cached_tokens - r.cache_creation_tokens" },
  cache_read: { bucket: "cache_read", sql: "r.cached_tokens" },
  cache_write: { bucket: "cache_write", sql: "r.cache_creation_tokens - r.cache_creation_1h_tokens" },
  cache_write_1h: { bucket: "cache_write_1h", sql: "r.cache_creation_1h_tokens" },
  output: { bucket: "output", sql: "r.output_tokens" },
} as const satisfies Readonly<Record<string, { readonly bucket: Bucket; readonly sql: string }>>

/** The buckets of bills in which the lines of certificates are counted. */
const BUCKET_OF: { readonly [K in RateName]: Bucket } = {
  input: "input",
  inputAudio: "audio_input",
  inputImage: "image_input",
  cacheRead: "cache_read",
  cacheReadAudio: "cache_read",
  cacheReadImage: "cache_read",
  cacheWrite: "cache_write",
  cacheWrite1h: "cache_write_1h",
  cacheWrite12h: "cache_write",
  output: "output",
  reasoning: "output",
  outputAudio: "audio_output",
  outputImage: "image_output",
  webSearches: "tool",
  webSearchPreviews: "tool",
  searchAnswers: "tool",
  fileSearches: "tool",
  groundingQueries: "tool",
  groundedRequests: "tool",
  mapsQueries: "tool",
  mapsRequests: "tool",
  codeContainers: "session",
  audioSeconds: "audio_input",
  images: "image_output",
  characters: "audio_output",
  videoSeconds: "image_output",
  pages: "other",
}

export function toBucket(name: string): Bucket {
  return Object.hasOwn(BUCKET_OF, name) ? BUCKET_OF[name as RateName] : "other"
}

const TOKENS: ReadonlySet<string> = new Set(BUCKETS)

/** Returns whether a line of a certificate counts tokens, and not pieces. */
export function isToken(name: string): boolean {
  return TOKENS.has(name)
}
