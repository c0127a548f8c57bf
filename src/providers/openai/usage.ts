import type { Usage } from "../../core/usage.ts"
import { toBuckets } from "../_buckets.ts"
import type { JsonObject } from "../_fold.ts"
import { countOf, isImpossible, objectOf } from "../_values.ts"

/** What the tokens of an endpoint are when the provider does not split them. */
export type Modality = "text" | "image" | "audio"

export interface ReadUsage {
  readonly usage: Usage
  /** The prompt with everything in it: what long-context thresholds are compared with. */
  readonly contextTokens: number
  /** Transcriptions that are billed by time. */
  readonly audioSeconds: number | undefined
  readonly inconsistent: string | undefined
}

/**
 * The usage object of the OpenAI family: chat (`prompt_tokens`), Responses (`input_tokens`) and transcriptions, with
 * the fields that compatible providers add. `total_tokens` larger than its parts hides tokens: input audio where that
 * is the very number (Mistral), else reasoning (xAI chat, Gemini's compatible surface).
 *
 * undefined: the object says nothing about tokens or time.
 */
export function readUsage(raw: JsonObject, unsplitOutput: Modality = "text"): ReadUsage | undefined {
  const seconds = raw["type"] === "duration" ? raw["seconds"] : undefined
  const prompt = countOf(raw["prompt_tokens"]) ?? countOf(raw["input_tokens"])
  const completion = countOf(raw["completion_tokens"]) ?? countOf(raw["output_tokens"])
  const total = countOf(raw["total_tokens"])
  if (prompt === undefined && completion === undefined && total === undefined && typeof seconds !== "number") {
    return undefined
  }
  const given = detailsOf(raw, INPUT_DETAILS)
  const produced = detailsOf(raw, OUTPUT_DETAILS)
  const problems: string[] = []
  for (const place of [raw, given, produced]) {
    for (const name in place)
      if (isImpossible(place[name])) problems.push(`${name.slice(0, 40)} is negative or not finite`)
  }

  let input = prompt ?? Math.max(0, (total ?? 0) - (completion ?? 0))
  let output = completion ?? 0
  const inputAudio = countOf(given["audio_tokens"]) ?? 0
  let reasoning = countOf(produced["reasoning_tokens"]) ?? 0
  const hidden = total === undefined ? 0 : total - input - output
  if (hidden > 0) {
    // Without a word on output (embeddings) there was none.
    if (hidden === inputAudio || completion === undefined) {
      input += hidden
    } else {
      output += hidden
      reasoning = Math.max(reasoning, hidden)
    }
  }
  const cached = largest(CACHE_READS, raw, given)
  const written = largest(CACHE_WRITES, raw, given)
  if (cached > input) problems.push("cached_tokens > prompt_tokens as reported")
  // OpenRouter counts a token that Gemini read and wrote in both: cut without a word.
  else if (cached + written > input && raw["is_byok"] === undefined) {
    problems.push("cached_tokens + cache_write_tokens > prompt_tokens as reported")
  }
  if (reasoning > output) problems.push("reasoning_tokens > completion_tokens as reported")

  const split = SPLITS.some((name) => countOf(produced[name]) !== undefined)
  const whole = (modality: Modality) => (!split && unsplitOutput === modality ? output : 0)
  return {
    usage: toBuckets({
      input,
      cached,
      written,
      inputAudio,
      inputImage: unsplitOutput === "image" ? (countOf(given["image_tokens"]) ?? 0) : 0,
      output,
      reasoning,
      outputAudio: countOf(produced["audio_tokens"]) ?? whole("audio"),
      outputImage: countOf(produced["image_tokens"]) ?? whole("image"),
    }),
    contextTokens: input,
    audioSeconds: typeof seconds === "number" && seconds >= 0 && Number.isFinite(seconds) ? seconds : undefined,
    inconsistent: problems.length > 0 ? problems.join("; ") : undefined,
  }
}

const INPUT_DETAILS = ["prompt_tokens_details", "input_tokens_details", "input_token_details", "prompt_token_details"]
const OUTPUT_DETAILS = ["completion_tokens_details", "output_tokens_details", "output_token_details"]
const SPLITS = ["text_tokens", "image_tokens", "audio_tokens"]

/** Where compatible providers say how much of the prompt came from a cache: details, Moonshot, Mistral, DeepSeek, LiteLLM. */
const CACHE_READS = [
  "cached_tokens",
  "num_cached_tokens",
  "prompt_cache_hit_tokens",
  "cache_read_input_tokens",
] as const
const CACHE_WRITES = ["cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"] as const

const NOTHING: JsonObject = {}

function detailsOf(raw: JsonObject, names: readonly string[]): JsonObject {
  for (const name of names) {
    const details = objectOf(raw[name])
    if (details) return details
  }
  return NOTHING
}

/** One fact under several names, some of which may stand there as 0. */
function largest(names: readonly string[], raw: JsonObject, details: JsonObject): number {
  let found = 0
  for (const name of names) {
    const count = countOf(raw[name]) ?? 0
    const detail = countOf(details[name]) ?? 0
    found = Math.max(found, count, detail)
  }
  return found
}
