/**
 * The tokens of one billed piece of work, in buckets that never overlap. Every token is in exactly one bucket, so the
 * cost is the sum of bucket × rate. All counts are whole numbers and never negative.
 *
 * Worked example: OpenAI's `prompt_tokens: 1000, cached_tokens: 400, completion_tokens: 500, reasoning_tokens: 100`
 * becomes `{ input: 600, cacheRead: 400, output: 400, reasoning: 100 }`.
 */
export interface Usage {
  /** Text input that was neither read from a cache nor written to one. Tool-use prompts are included. */
  readonly input: number
  readonly inputAudio: number
  readonly inputImage: number
  /** Text input read from the provider's prompt cache. */
  readonly cacheRead: number
  readonly cacheReadAudio: number
  readonly cacheReadImage: number
  /** Input written to the provider's cache at its default lifetime (Anthropic: 5 minutes). */
  readonly cacheWrite: number
  /** Input written to the provider's cache for one hour. */
  readonly cacheWrite1h: number
  /** Input written to the provider's cache for twelve hours, which OpenAI offers. */
  readonly cacheWrite12h: number
  /** Text output, without reasoning. */
  readonly output: number
  /** Reasoning, which Gemini calls thoughts. */
  readonly reasoning: number
  readonly outputAudio: number
  readonly outputImage: number
}

export type Bucket = keyof Usage

/** A count that no answer can have, and no batch either. Larger counts are read as this one, so that sums stay exact. */
export const MAX_COUNT = 2 ** 40

export const NO_USAGE: Usage = {
  input: 0,
  inputAudio: 0,
  inputImage: 0,
  cacheRead: 0,
  cacheReadAudio: 0,
  cacheReadImage: 0,
  cacheWrite: 0,
  cacheWrite1h: 0,
  cacheWrite12h: 0,
  output: 0,
  reasoning: 0,
  outputAudio: 0,
  outputImage: 0,
}

export const BUCKETS = Object.keys(NO_USAGE) as readonly Bucket[]

/** The work of one model within one answer. Most answers have one part. Compaction, advisors and tools add more. */
export interface Part {
  /** The model, as the provider named it; undefined if the provider did not name it. */
  readonly model: string | undefined
  readonly usage: Usage
  /** The prompt size, in tokens, that the provider compares with its long-context threshold. */
  readonly contextTokens: number
  /** The smallest prompt size, if the part is the sum of several requests; `contextTokens` is then the largest. */
  readonly leastContextTokens?: number
  /** The kind of work. Of a `decision`, only the input is billed. */
  readonly role: "answer" | "compaction" | "advisor" | "tool" | "decision"
  /**
   * The work is a part of a spoken session. Its sound has rates of its own, so that it has no price where none is listed:
   * a rate that was taken from the one for text could be a tenth of it.
   */
  readonly isSpoken?: true
}

/** The items that are billed by the piece, in addition to tokens. A unit that was not used is absent. */
export interface Units {
  readonly webSearches?: number
  /** Searches of OpenAI's older tool, `web_search_preview`, whose fee depends on the model. */
  readonly webSearchPreviews?: number
  /** Answers of OpenAI's search models in chat, which search by themselves and do not report how often. */
  readonly searchAnswers?: number
  readonly fileSearches?: number
  /** Queries to Google Search, each of which Gemini 3 bills. */
  readonly groundingQueries?: number
  /** Requests that were grounded with Google Search, each of which Gemini 2 bills once. */
  readonly groundedRequests?: number
  /** Queries to Google Maps, each of which Gemini 3 bills. */
  readonly mapsQueries?: number
  /** Requests that were grounded with Google Maps, each of which Gemini 2 bills once. */
  readonly mapsRequests?: number
  readonly codeContainers?: number
  /** Audio that is billed by its length, such as transcriptions by whisper-1. */
  readonly audioSeconds?: number
  /** Pictures that are billed by the piece. Their kind is size and quality: `1024x1024 hd`. */
  readonly images?: number
  /** Characters of a text that is spoken, in Unicode code points. */
  readonly characters?: number
  /** Seconds of film. Their kind is the size or the resolution: `1280x720`, `1080p`. */
  readonly videoSeconds?: number
  /** Pages of documents that were read. Their kind is `annotated` if the text was also put into a given structure. */
  readonly pages?: number
}

/** The kind of the pieces of a unit, where the price depends on it; a unit without kinds is absent. */
export type UnitKinds = { readonly [K in keyof Units]?: string }

/** The result of metering one answer. */
export interface Reading {
  /** The model that answered, which is that of the first part; undefined if the answer named none. */
  readonly model: string | undefined
  readonly parts: readonly Part[]
  readonly units: Units
  readonly kinds?: UnitKinds
  /** The service tier (`default`, `flex`, `priority`, `batch`, …), as the provider reported it, in lower case. */
  readonly tier: string | undefined
  /** The speed that Anthropic reported, such as `fast`. */
  readonly speed: string | undefined
  /** The region: Anthropic's `inference_geo` (`us`), or the one of OpenAI's regional hosts (`eu`, `us`). */
  readonly geo: string | undefined
  /** The cost in USD that the provider itself reported, as plain decimal text. `"0"` is a cost. */
  readonly reportedCostUsd: string | undefined
  /** The provider calls its own figure an estimate. */
  readonly isReportedCostEstimated?: boolean
  /** The provider's usage as received, and what is billed outside of it. It is JSON data of a bounded size. */
  readonly raw: unknown
  /**
   * `reported`: the provider reported the usage. `estimated`: it was counted from the text. `none`: there is none. An
   * answer that is billed by the piece alone, such as a speech, has units and no usage.
   */
  readonly source: "reported" | "estimated" | "none"
  /** The operation is free by the provider's own rule (count_tokens, models, refusals without output, …). */
  readonly free: boolean
  /** How the provider's numbers contradict each other, in which case they were clamped; undefined if they do not. */
  readonly inconsistent: string | undefined
  /**
   * The reasons why something billed beside the parts and units was not reported in full. A sum without it is an estimate.
   */
  readonly missing: readonly string[] | undefined
  /** The texts behind an estimate, if a tokenizer for the model exists. */
  readonly countable?: Countable
}

/** The vocabularies of OpenAI's models. */
export type Encoding = "o200k_base" | "cl100k_base"

/** The texts behind an estimate. A tokenizer counts them more precisely than their length does. */
export interface Countable {
  readonly encoding: Encoding
  /** The body of the request; undefined if it is too long for a tokenizer. */
  readonly request: Uint8Array | undefined
  /** The text of the answer as it stood in its JSON, with escapes. Of a long text, this is the beginning. */
  readonly output: Uint8Array
  /** The length of the whole text divided by the length of `output`: 1 or more. */
  readonly outputScale: number
  /** Returns the reading with these counts, within the limits of the request. An undefined count stays as estimated. */
  toReading(counted: { readonly input: number | undefined; readonly output: number }): Reading
}

export const NO_READING: Reading = {
  model: undefined,
  parts: [],
  units: {},
  tier: undefined,
  speed: undefined,
  geo: undefined,
  reportedCostUsd: undefined,
  raw: undefined,
  source: "none",
  free: false,
  inconsistent: undefined,
  missing: undefined,
}

/** The token columns of a row. `inputTokens` is all input and `outputTokens` all output, cached and reasoning included. */
export interface TokenTotals {
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly cacheCreationTokens: number
  readonly cacheCreation1hTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
}

/**
 * Adds up parts in the convention of a row's columns.
 *
 * Worked example: `{ input: 600, cacheRead: 400, output: 400, reasoning: 100 }` has 1000 input tokens, of which 400 are
 * cached, and 500 output tokens, of which 100 are reasoning.
 */
export function toTokenTotals(parts: readonly Part[]): TokenTotals {
  let cached = 0
  let written1h = 0
  let written = 0
  let input = 0
  let output = 0
  let reasoning = 0
  for (const { usage } of parts) {
    const read = usage.cacheRead + usage.cacheReadAudio + usage.cacheReadImage
    cached += read
    const stored = usage.cacheWrite + usage.cacheWrite1h + usage.cacheWrite12h
    written += stored
    written1h += usage.cacheWrite1h
    input += usage.input + usage.inputAudio + usage.inputImage + read + stored
    output += usage.output + usage.reasoning + usage.outputAudio + usage.outputImage
    reasoning += usage.reasoning
  }
  return {
    inputTokens: input,
    cachedTokens: cached,
    cacheCreationTokens: written,
    cacheCreation1hTokens: written1h,
    outputTokens: output,
    reasoningTokens: reasoning,
  }
}
