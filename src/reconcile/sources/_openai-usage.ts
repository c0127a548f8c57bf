import type { Decimal } from "../../core/decimal.ts"
import type { Bucket } from "../../core/reconciliation.ts"
import type { LineGroup, LineTable } from "../line-table.ts"
import { toTier } from "../openai-item.ts"
import { countOf, type JsonRecord, textOf } from "./_json.ts"

/** One kind of usage that OpenAI reports, which is a path under `/v1/organization/usage/`. */
export interface UsageFamily {
  readonly name: string
  readonly groupBy: readonly string[]
  /** Whether the report can be limited to API keys. */
  readonly hasKeys: boolean
  readonly count: (row: JsonRecord, where: string) => readonly Counted[]
  /** The field with the number of requests. */
  readonly requests: string | undefined
}

interface Counted {
  readonly bucket: Bucket
  readonly quantity: Decimal
  /** What the pieces are, where they are no tokens. */
  readonly item?: string | undefined
}

const BY_KEY = ["project_id", "api_key_id"]
const BY_MODEL = [...BY_KEY, "model"]

/** Counts one field of a report. */
const fieldAs =
  (bucket: Bucket, item: string | undefined, name: string): UsageFamily["count"] =>
  (row, where) => [{ bucket, item, quantity: countOf(row, name, where) }]

function family(name: string, groupBy: readonly string[], count: UsageFamily["count"], requests?: string): UsageFamily {
  return { name, groupBy, hasKeys: groupBy.includes("api_key_id"), count, requests }
}

/** The families of the SDK's types (`openai` 6.49), without moderations, which are free and so are on no bill. */
export const USAGE_FAMILIES: readonly UsageFamily[] = [
  family("completions", [...BY_MODEL, "batch", "service_tier"], countTokens, "num_model_requests"),
  family("embeddings", BY_MODEL, fieldAs("input", undefined, "input_tokens"), "num_model_requests"),
  family("images", BY_MODEL, fieldAs("tool", "images", "images"), "num_model_requests"),
  family("audio_speeches", BY_MODEL, fieldAs("tool", "spoken characters", "characters"), "num_model_requests"),
  family("audio_transcriptions", BY_MODEL, fieldAs("tool", "transcribed seconds", "seconds"), "num_model_requests"),
  family("web_search_calls", BY_MODEL, fieldAs("tool", "web searches", "num_requests")),
  family("file_search_calls", BY_KEY, fieldAs("tool", "file searches", "num_requests")),
  family("code_interpreter_sessions", ["project_id"], fieldAs("session", "code interpreter sessions", "num_sessions")),
  family("vector_stores", ["project_id"], fieldAs("storage", "vector store bytes", "usage_bytes")),
]

/** Adds one row of a report. */
export function addUsage(
  table: LineTable,
  { count, requests }: UsageFamily,
  row: JsonRecord,
  { day, where }: { readonly day: string; readonly where: string },
): void {
  const group: LineGroup = {
    day,
    model: textOf(row["model"]),
    tier: String(row["batch"]) === "true" ? "batch" : toTier(textOf(row["service_tier"])),
    key: textOf(row["api_key_id"]),
    project: textOf(row["project_id"]),
  }
  const counted = count(row, where)
  const used = counted.filter(({ quantity }) => quantity > 0n)
  // A group without tokens keeps one line, which carries its requests.
  for (const { bucket, quantity, item } of used.length > 0 ? used : counted.slice(0, 1)) {
    table.add({ ...group, bucket, item }, { quantity })
  }
  if (requests !== undefined) table.addRequests(group, countOf(row, requests, where))
}

/**
 * Splits the tokens of a row into buckets that do not overlap. `input_tokens` is all input; the cached tokens of all
 * kinds are cache reads, and audio and images are parts of the uncached input.
 */
function countTokens(row: JsonRecord, where: string): readonly Counted[] {
  const count = (name: string): Decimal => countOf(row, name, where)
  const cached = count("input_cached_tokens")
  const written = count("input_cache_write_tokens")
  const [audio, image] = [count("input_audio_tokens"), count("input_image_tokens")]
  const [audioOut, imageOut] = [count("output_audio_tokens"), count("output_image_tokens")]
  return [
    { bucket: "input", quantity: atLeastZero(count("input_tokens") - cached - written - audio - image) },
    { bucket: "cache_read", quantity: cached },
    { bucket: "cache_write", quantity: written },
    { bucket: "audio_input", quantity: audio },
    { bucket: "image_input", quantity: image },
    { bucket: "output", quantity: atLeastZero(count("output_tokens") - audioOut - imageOut) },
    { bucket: "audio_output", quantity: audioOut },
    { bucket: "image_output", quantity: imageOut },
  ]
}

/** In older answers the audio tokens can contain cached ones, which would be subtracted twice. */
function atLeastZero(value: Decimal): Decimal {
  return value > 0n ? value : 0n
}
