import type { Usage } from "../../core/usage.ts"
import { toBuckets } from "../_buckets.ts"
import { countOf, isImpossible, isNoCount, type JsonObject, objectOf } from "../_values.ts"

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

/** Returns true if the usage object counts at least one token, or a time. */
export function countsUsage(usage: JsonObject): boolean {
  return COUNTERS.some((name) => (countOf(usage[name]) ?? 0) > 0) || typeof secondsIn(usage) === "number"
}

const COUNTERS = ["prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens"] as const

function secondsIn(usage: JsonObject): unknown {
  return usage["type"] === "duration" ? usage["seconds"] : undefined
}

/**
 * Reads the usage object of the OpenAI family: chat (`prompt_tokens`), Responses (`input_tokens`) and transcriptions,
 * with the members that compatible providers add. A share that is larger than its total is clamped and said.
 *
 * undefined: the object reports neither tokens nor time.
 * @param splitsImages pictures in the input have a rate of their own; elsewhere they are billed as text
 */
export function readUsage(
  raw: JsonObject,
  unsplitOutput: Modality,
  splitsImages = unsplitOutput === "image",
): ReadUsage | undefined {
  if (!reportsUsage(raw)) return undefined
  const seconds = secondsIn(raw)
  const given = detailsOf(raw, INPUT_DETAILS)
  const produced = detailsOf(raw, OUTPUT_DETAILS)
  const inputAudio = countOf(given["audio_tokens"]) ?? 0
  const cached = largest(CACHE_READS, raw, given)
  const cachedDetails = objectOf(given["cached_tokens_details"])
  const lifetimes = objectOf(given["cache_write_tokens_details"])
  const written12h = countOf(lifetimes?.["ttl_12h_tokens"]) ?? 0
  const writtenByLifetime = written12h + (countOf(lifetimes?.["ttl_30m_tokens"]) ?? 0)
  const written = largest(CACHE_WRITES, raw, given) || writtenByLifetime
  const { input, output, reasoning } = findTotals(raw, {
    inputAudio,
    cache: cached + written,
    reasoning: countOf(produced["reasoning_tokens"]) ?? 0,
  })

  const split = SPLITS.some((name) => countOf(produced[name]) !== undefined)
  const whole = (modality: Modality) => (!split && unsplitOutput === modality ? output : 0)
  const outputAudio = countOf(produced["audio_tokens"]) ?? whole("audio")
  const outputImage = countOf(produced["image_tokens"]) ?? whole("image")
  const problems = impossibleIn(raw, given, produced)
  for (const name of COUNTERS) if (isNoCount(raw[name])) problems.push(`${name} is not a whole number`)
  const compare = (share: number, total: number, what: string) => {
    if (share > total) problems.push(`${what} as reported`)
  }
  compare(cached, input, "cached_tokens > prompt_tokens")
  // OpenRouter counts a token that Gemini read and wrote in both, so there the sum is clamped without a problem.
  if (cached <= input && raw["is_byok"] === undefined) {
    compare(cached + written, input, "cached_tokens + cache_write_tokens > prompt_tokens")
  }
  compare(writtenByLifetime, written, "cache_write_tokens_details > cache_write_tokens")
  compare(reasoning, output, "reasoning_tokens > completion_tokens")
  compare(inputAudio, input, "audio_tokens > prompt_tokens")
  compare(Math.max(outputAudio, outputImage), output, "audio_tokens or image_tokens > completion_tokens")
  return {
    usage: toBuckets({
      input,
      cached,
      written,
      written12h,
      inputAudio,
      inputImage: splitsImages ? (countOf(given["image_tokens"]) ?? 0) : 0,
      cachedAudio: countOf(cachedDetails?.["audio_tokens"]) ?? 0,
      cachedImage: splitsImages ? (countOf(cachedDetails?.["image_tokens"]) ?? 0) : 0,
      output,
      reasoning,
      outputAudio,
      outputImage,
    }),
    contextTokens: input,
    audioSeconds: typeof seconds === "number" && seconds >= 0 && Number.isFinite(seconds) ? seconds : undefined,
    inconsistent: problems.length > 0 ? problems.join("; ") : undefined,
  }
}

/** The shares that may stand outside of the prompt and of the output, in tokens. */
interface Shares {
  readonly inputAudio: number
  readonly cache: number
  readonly reasoning: number
}

/**
 * Returns all input and all output. Where `total_tokens` is larger than its parts, it hides tokens. They are the input
 * audio if there is exactly as much (Mistral), else the stated reasoning (xAI chat), else the tokens of the cache
 * (Anthropic's names in an OpenAI answer), and otherwise reasoning that is not stated (Gemini's compatible surface).
 */
function findTotals(raw: JsonObject, { inputAudio, cache, reasoning }: Shares) {
  const completion = countOf(raw["completion_tokens"]) ?? countOf(raw["output_tokens"])
  const total = countOf(raw["total_tokens"])
  const input =
    countOf(raw["prompt_tokens"]) ?? countOf(raw["input_tokens"]) ?? Math.max(0, (total ?? 0) - (completion ?? 0))
  const output = completion ?? 0
  const hidden = total === undefined ? 0 : total - input - output
  if (hidden <= 0) return { input, output, reasoning }
  // Where no output is reported (embeddings) there was none.
  const isInput = completion === undefined || hidden === inputAudio || (hidden === cache && hidden !== reasoning)
  return isInput
    ? { input: input + hidden, output, reasoning }
    : { input, output: output + hidden, reasoning: Math.max(reasoning, hidden) }
}

function impossibleIn(...places: readonly JsonObject[]): string[] {
  const problems: string[] = []
  for (const place of places) {
    for (const name in place)
      if (isImpossible(place[name])) problems.push(`${name.slice(0, 40)} is negative or not finite`)
  }
  return problems
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
