/**
 * Tokens of one billed piece of work, in buckets that never overlap: every token is in exactly one of them, so a
 * cost is the sum of bucket × rate. Whole numbers, never negative.
 *
 * Worked example: OpenAI's `prompt_tokens: 1000, cached_tokens: 400, completion_tokens: 500, reasoning_tokens: 100`
 * is `{ input: 600, cacheRead: 400, output: 400, reasoning: 100 }`.
 */
export interface Usage {
  /** Text input that was neither read from nor written to a cache; tool-use prompts included. */
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
  /** Text output without reasoning. */
  readonly output: number
  /** Reasoning and thoughts. */
  readonly reasoning: number
  readonly outputAudio: number
  readonly outputImage: number
}

export type Bucket = keyof Usage

export const NO_USAGE: Usage = {
  input: 0,
  inputAudio: 0,
  inputImage: 0,
  cacheRead: 0,
  cacheReadAudio: 0,
  cacheReadImage: 0,
  cacheWrite: 0,
  cacheWrite1h: 0,
  output: 0,
  reasoning: 0,
  outputAudio: 0,
  outputImage: 0,
}

export const BUCKETS = Object.keys(NO_USAGE) as readonly Bucket[]

/** The work of one model inside one answer. Most answers have one part; compaction, advisors and tools add more. */
export interface Part {
  /** The model that answered, as the provider named it; undefined: it did not say. */
  readonly model: string | undefined
  readonly usage: Usage
  /** The prompt size, in tokens, that the provider compares with its long-context threshold. */
  readonly contextTokens: number
  /** What this part is, for `--explain`. */
  readonly role: "answer" | "compaction" | "advisor" | "tool"
}

/** What is billed by the piece beside the tokens. A name is absent when there was none. */
export interface Units {
  readonly webSearches?: number
  readonly fileSearches?: number
  /** Gemini 3: one per search query. */
  readonly groundingQueries?: number
  /** Gemini 2: one per grounded request. */
  readonly groundedRequests?: number
  readonly codeContainers?: number
  /** Perplexity and the like: one per request. */
  readonly audioSeconds?: number
  readonly images?: number
}

/** What the meter read in one answer. */
export interface Reading {
  /** The model that answered (first part's), undefined when the answer named none. */
  readonly model: string | undefined
  readonly parts: readonly Part[]
  readonly units: Units
  /** The tier that served the request (`default`, `flex`, `priority`, `batch`, …), as the provider said it, lower case. */
  readonly tier: string | undefined
  /** Anthropic: `fast`. */
  readonly speed: string | undefined
  /** Anthropic `inference_geo` (`us`), OpenAI's regional hosts (`eu`, `us`). */
  readonly geo: string | undefined
  /** The cost in USD that the provider itself reported, as a plain decimal. */
  readonly reportedCostUsd: string | undefined
  /** The provider's usage object(s) as received, and what is billed outside them; JSON-safe, bounded in size. */
  readonly raw: unknown
  /** `reported`: the provider said it. `estimated`: counted from the text. `none`: nothing to read. */
  readonly source: "reported" | "estimated" | "none"
  /** The operation costs nothing by the provider's own rule (count_tokens, models, refusals without output, …). */
  readonly free: boolean
  /** Why the provider's numbers contradict themselves (after which they were clamped); undefined: they do not. */
  readonly inconsistent: string | undefined
  /** Of an estimate: what a tokenizer could count better; absent: no tokenizer knows the model. */
  readonly countable?: Countable
}

/** The vocabularies of OpenAI's models. */
export type Encoding = "o200k_base" | "cl100k_base"

/** The texts behind an estimate, for a tokenizer to count better than by their length. */
export interface Countable {
  readonly encoding: Encoding
  /** The request's body; undefined: too long to be counted by anything but its length. */
  readonly request: Uint8Array | undefined
  /** Text of the answer as it stood in its JSON, with its escapes; the beginning of it when there was more. */
  readonly output: Uint8Array
  /** All of the answer's text by what is in `output`: 1, or more. */
  readonly outputScale: number
  /** The reading by such counts, within the limits of the request and the model; undefined: the one by length stays. */
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
}

/** The token columns of a row. `input_tokens` is all input, `output_tokens` all output. */
export interface TokenTotals {
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly cacheCreationTokens: number
  readonly cacheCreation1hTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
}

/** The sums of a reading's parts in the convention of the row's columns. */
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
    written += usage.cacheWrite + usage.cacheWrite1h
    written1h += usage.cacheWrite1h
    input += usage.input + usage.inputAudio + usage.inputImage + read + usage.cacheWrite + usage.cacheWrite1h
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
