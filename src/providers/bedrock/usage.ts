import type { Part, Usage } from "../../core/usage.ts"
import { toBuckets } from "../_buckets.ts"
import { countOf, firstCount, isImpossible, isNoCount, type JsonObject, listOf, objectOf } from "../_values.ts"

/**
 * The names under which answers report tokens, the most exact first: Converse and Nova, Llama, Titan, and what Bedrock
 * itself adds to any model's answer. Some answers have a count under two names, so that they are never added up.
 */
export const INPUTS = ["inputTokens", "prompt_token_count", "inputTextTokenCount"] as const
export const OUTPUTS = ["outputTokens", "generation_token_count", "totalOutputTextTokenCount"] as const
const CACHE_READS = ["cacheReadInputTokens", "cacheReadInputTokenCount"] as const
const CACHE_WRITES = ["cacheWriteInputTokens", "cacheWriteInputTokenCount"] as const

/** The counts that Bedrock states for any model, in headers or in the last chunk of a stream. */
interface Metrics {
  readonly input: number | undefined
  readonly output: number | undefined
  readonly cacheRead: number | undefined
  readonly cacheWrite: number | undefined
}

/** Reads the object `amazon-bedrock-invocationMetrics`, or what was made of the headers. */
export function readMetrics(metrics: JsonObject | undefined): Metrics {
  return {
    input: countOf(metrics?.["inputTokenCount"]),
    output: countOf(metrics?.["outputTokenCount"]),
    cacheRead: countOf(metrics?.["cacheReadInputTokenCount"]),
    cacheWrite: countOf(metrics?.["cacheWriteInputTokenCount"]),
  }
}

/** Returns true if the usage object reports tokens, or Bedrock does beside it. */
export function reportsTokens(usage: JsonObject): boolean {
  const { input, output } = readMetrics(objectOf(usage["invocation_metrics"]))
  return input !== undefined || output !== undefined || COUNTERS.some((name) => countOf(usage[name]) !== undefined)
}

/** Returns true if the usage object is one of Anthropic's Messages. */
export function isAnthropic(usage: JsonObject): boolean {
  return ANTHROPIC.some((name) => usage[name] !== undefined)
}

/** Returns true if the usage object is one of OpenAI's chat, which models that were trained elsewhere imitate. */
export function isOpenAi(usage: JsonObject): boolean {
  return OPENAI.some((name) => usage[name] !== undefined)
}

const ANTHROPIC = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"] as const
const OPENAI = ["prompt_tokens", "completion_tokens"] as const
const COUNTERS = [...INPUTS, ...OUTPUTS, ...ANTHROPIC, ...OPENAI]

/** Returns Anthropic's usage object with the counts that it lacks. A guardrail removes some of them. */
export function fillAnthropic(usage: JsonObject, { input, output, cacheRead, cacheWrite }: Metrics): JsonObject {
  return {
    ...usage,
    input_tokens: usage["input_tokens"] ?? input,
    output_tokens: usage["output_tokens"] ?? output,
    cache_read_input_tokens: usage["cache_read_input_tokens"] ?? cacheRead,
    cache_creation_input_tokens: usage["cache_creation_input_tokens"] ?? cacheWrite,
  }
}

/** Returns OpenAI's usage object with the counts that it lacks. */
export function fillOpenAi(usage: JsonObject, { input, output }: Metrics): JsonObject {
  return {
    ...usage,
    prompt_tokens: usage["prompt_tokens"] ?? input,
    completion_tokens: usage["completion_tokens"] ?? output,
  }
}

interface ReadCounts {
  readonly usage: Usage
  /** All input. */
  readonly contextTokens: Part["contextTokens"]
  readonly inconsistent: string | undefined
  readonly missing: readonly string[]
}

/**
 * Reads the counts of Bedrock's own APIs. `inputTokens` leaves the cache out, so that all input is the sum of three
 * counts.
 *
 * Worked example: 3 input, 2074 read and 297 written tokens are a prompt of 2374 tokens.
 */
export function readCounts(usage: JsonObject): ReadCounts {
  const metrics = readMetrics(objectOf(usage["invocation_metrics"]))
  const count = (names: readonly string[], otherwise: number | undefined) =>
    firstCount(...names.map((name) => usage[name]), otherwise)
  const output = count(OUTPUTS, metrics.output)
  const cached = count(CACHE_READS, metrics.cacheRead) ?? 0
  const written = count(CACHE_WRITES, metrics.cacheWrite) ?? 0
  const input = (count(INPUTS, metrics.input) ?? 0) + cached + written
  const written1h = writtenFor1h(usage)
  const problems = problemsIn(usage)
  if (written1h > written) problems.push("cacheDetails > cacheWriteInputTokens as reported")
  const isOutputLost = output === undefined && usage["inputTokens"] !== undefined
  return {
    usage: toBuckets({ input, cached, written, written1h, output: output ?? 0, reasoning: 0 }),
    contextTokens: input,
    inconsistent: problems.length > 0 ? problems.join("; ") : undefined,
    missing: isOutputLost ? ["the answer does not state its output tokens"] : [],
  }
}

/** Returns the tokens that were written to the cache for an hour, which costs more than the default of 5 minutes. */
function writtenFor1h(usage: JsonObject): number {
  let written = 0
  for (const element of listOf(usage["cacheDetails"])) {
    const detail = objectOf(element)
    if (detail?.["ttl"] === "1h") written += countOf(detail["inputTokens"]) ?? 0
  }
  return written
}

function problemsIn(usage: JsonObject): string[] {
  const problems: string[] = []
  for (const name of [...INPUTS, ...OUTPUTS, ...CACHE_READS, ...CACHE_WRITES]) {
    if (isImpossible(usage[name])) problems.push(`${name} is negative or not finite`)
    if (isNoCount(usage[name])) problems.push(`${name} is not a whole number`)
  }
  return problems
}
