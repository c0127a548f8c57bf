import { type Part, toTokenTotals, type Usage } from "../../core/usage.ts"
import { toBuckets } from "../_buckets.ts"
import { countOf, isImpossible, isNoCount, type JsonObject, listOf, objectOf, textOf } from "../_values.ts"

const COUNTERS = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"] as const

/** Returns true if the usage object reports tokens. */
export function reportsTokens(raw: JsonObject): boolean {
  return COUNTERS.some((name) => countOf(raw[name]) !== undefined)
}

/** Returns true if the usage object counts at least one token. */
export function countsTokens(raw: JsonObject): boolean {
  return COUNTERS.some((name) => (countOf(raw[name]) ?? 0) > 0)
}

/** Returns why the usage object contradicts itself; undefined: it does not. */
export function findContradiction(raw: JsonObject): string | undefined {
  const name = COUNTERS.find((name) => isImpossible(raw[name]))
  if (name) return `${name} is negative or not finite`
  const unread = COUNTERS.find((name) => isNoCount(raw[name]))
  if (unread) return `${unread} is not a whole number`
  const thinking = countOf(objectOf(raw["output_tokens_details"])?.["thinking_tokens"]) ?? 0
  if (thinking > (countOf(raw["output_tokens"]) ?? 0)) return "thinking_tokens > output_tokens as reported"
  const written = countOf(raw["cache_creation_input_tokens"])
  const { written5m, written1h } = lifetimesOf(raw)
  if (written !== undefined && written5m + written1h > written) {
    return "cache_creation > cache_creation_input_tokens as reported"
  }
  return readsAreInside(raw) ? "prompt_tokens_details says that input_tokens include the cache reads" : undefined
}

/** Returns the tokens written for each lifetime. */
function lifetimesOf(raw: JsonObject): { readonly written5m: number; readonly written1h: number } {
  const split = objectOf(raw["cache_creation"])
  return {
    written5m: countOf(split?.["ephemeral_5m_input_tokens"]) ?? 0,
    written1h: countOf(split?.["ephemeral_1h_input_tokens"]) ?? 0,
  }
}

/**
 * Returns true for the usage of a backend that translates OpenAI's answers: it states the cache reads in OpenAI's
 * details too, where they are a share of the prompt.
 */
function readsAreInside(raw: JsonObject): boolean {
  const cached = countOf(objectOf(raw["prompt_tokens_details"])?.["cached_tokens"]) ?? 0
  return cached > 0 && cached === countOf(raw["cache_read_input_tokens"])
}

/**
 * Returns one usage object of Anthropic's as buckets. `input_tokens` excludes the cache. `cache_creation` splits the
 * written tokens by lifetime; those that it does not name were written for five minutes.
 */
function readUsage(raw: JsonObject): Usage {
  const read = countOf(raw["cache_read_input_tokens"]) ?? 0
  const stated = countOf(raw["input_tokens"]) ?? 0
  const uncached = readsAreInside(raw) ? Math.max(0, stated - read) : stated
  const { written5m, written1h } = lifetimesOf(raw)
  const written = countOf(raw["cache_creation_input_tokens"]) ?? written5m + written1h
  return toBuckets({
    input: uncached + read + written,
    cached: read,
    written,
    written1h,
    output: countOf(raw["output_tokens"]) ?? 0,
    reasoning: countOf(objectOf(raw["output_tokens_details"])?.["thinking_tokens"]) ?? 0,
  })
}

/** Returns the size of the whole prompt of one call, in tokens, the cache included. */
function contextOf(usage: Usage): number {
  return toTokenTotals([{ model: undefined, usage, contextTokens: 0, role: "answer" }]).inputTokens
}

/** The iterations that the top level does not hold. It already includes `message` and `fallback_message`. */
const EXTRA = { compaction: "compaction", advisor_message: "advisor" } as const

/**
 * Returns the parts of one answer: its top level, and each compaction and advisor call beside it. Long-context prices
 * depend on the size of the largest single call, not on the sum of all.
 */
export function readParts(raw: JsonObject, model: string | undefined): Part[] {
  const top = readUsage(withIterationSplit(raw))
  const iterations = listOf(raw["iterations"]).map(objectOf)
  let context = 0
  let serving = model
  const extra: Part[] = []
  for (const iteration of iterations) {
    if (!iteration) continue
    const type = textOf(iteration["type"])
    const usage = readUsage(iteration)
    const role = type === "compaction" || type === "advisor_message" ? EXTRA[type] : undefined
    if (role) {
      extra.push({ model: textOf(iteration["model"]) ?? model, usage, contextTokens: contextOf(usage), role })
    } else {
      context = Math.max(context, contextOf(usage))
      if (type === "fallback_message") serving = textOf(iteration["model"]) ?? serving
    }
  }
  return [{ model: serving, usage: top, contextTokens: context || contextOf(top), role: "answer" }, ...extra]
}

/** Streams restate written tokens without their lifetimes. The calls that the top level adds up still have them. */
function withIterationSplit(raw: JsonObject): JsonObject {
  if (objectOf(raw["cache_creation"])) return raw
  let written5m = 0
  let written1h = 0
  for (const element of listOf(raw["iterations"])) {
    const iteration = objectOf(element)
    const type = textOf(iteration?.["type"])
    if (!iteration || type === "compaction" || type === "advisor_message") continue
    const split = objectOf(iteration["cache_creation"])
    written5m += countOf(split?.["ephemeral_5m_input_tokens"]) ?? 0
    written1h += countOf(split?.["ephemeral_1h_input_tokens"]) ?? 0
  }
  return written5m + written1h === 0
    ? raw
    : { ...raw, cache_creation: { ephemeral_5m_input_tokens: written5m, ephemeral_1h_input_tokens: written1h } }
}
