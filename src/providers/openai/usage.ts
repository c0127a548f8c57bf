import type { Usage } from "../../core/usage.ts"
import { toBuckets } from "../_buckets.ts"
import { countOf, isImpossible, type JsonObject, objectOf } from "../_values.ts"

/** The modality of an operation's tokens, for a provider that does not split them. */
export type Modality = "text" | "image" | "audio"

interface ReadUsage {
  readonly usage: Usage
  /** The whole prompt, which providers compare with their long-context thresholds. */
  readonly contextTokens: number
  /** Set for transcriptions that are billed by time. */
  readonly audioSeconds: number | undefined
  readonly inconsistent: string | undefined
}

/** Returns true if the usage object reports tokens or seconds. */
export function reportsUsage(usage: JsonObject): boolean {
  for (const name of COUNTERS) if (countOf(usage[name]) !== undefined) return true
  return typeof secondsIn(usage) === "number"
}

const COUNTERS = ["prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens"] as const

function secondsIn(usage: JsonObject): unknown {
  return usage["type"] === "duration" ? usage["seconds"] : undefined
}

/**
 * Reads the usage object of the OpenAI family: chat (`prompt_tokens`), Responses (`input_tokens`) and transcriptions,
 * with the members that compatible providers add. Where `total_tokens` is larger than its parts, it hides tokens: input
 * audio if that is the very number (Mistral), else reasoning (xAI chat, Gemini's compatible surface).
 *
 * undefined: the object reports neither tokens nor time.
 */
export function readUsage(raw: JsonObject, unsplitOutput: Modality): ReadUsage | undefined {
  if (!reportsUsage(raw)) return undefined
  const seconds = secondsIn(raw)
  const prompt = countOf(raw["prompt_tokens"]) ?? countOf(raw["input_tokens"])
  const completion = countOf(raw["completion_tokens"]) ?? countOf(raw["output_tokens"])
  const total = countOf(raw["total_tokens"])
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
    // Where no output is reported (embeddings) there was none.
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
  // OpenRouter counts a token that Gemini read and wrote in both, so there the sum is clamped without a problem.
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

/** How much of the prompt came from a cache, in the words of OpenAI, Moonshot, DeepSeek and LiteLLM. */
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

/** Returns one fact that stands under several names, of which some may be 0. */
function largest(names: readonly string[], raw: JsonObject, details: JsonObject): number {
  let found = 0
  for (const name of names) {
    const count = countOf(raw[name]) ?? 0
    const detail = countOf(details[name]) ?? 0
    found = Math.max(found, count, detail)
  }
  return found
}
