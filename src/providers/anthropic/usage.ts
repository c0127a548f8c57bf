import { type Part, toTokenTotals, type Usage } from "../../core/usage.ts"
import { toBuckets } from "../_buckets.ts"
import type { JsonObject } from "../_fold.ts"
import { countOf, isImpossible, listOf, objectOf, textOf } from "../_values.ts"

const COUNTERS = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"] as const

/** Does the object say anything about tokens? */
export function saysTokens(raw: JsonObject): boolean {
  return COUNTERS.some((name) => countOf(raw[name]) !== undefined)
}

/** Why the object contradicts itself; undefined: it does not. */
export function contradictionIn(raw: JsonObject): string | undefined {
  const name = COUNTERS.find((name) => isImpossible(raw[name]))
  if (name) return `${name} is negative or not finite`
  const thinking = countOf(objectOf(raw["output_tokens_details"])?.["thinking_tokens"]) ?? 0
  return thinking > (countOf(raw["output_tokens"]) ?? 0) ? "thinking_tokens > output_tokens as reported" : undefined
}

/**
 * One Anthropic usage object as buckets. `input_tokens` excludes the cache. Writes are split by lifetime in
 * `cache_creation`; what that does not name was written for five minutes.
 */
export function readUsage(raw: JsonObject): Usage {
  const uncached = countOf(raw["input_tokens"]) ?? 0
  const read = countOf(raw["cache_read_input_tokens"]) ?? 0
  const split = objectOf(raw["cache_creation"])
  const written5m = countOf(split?.["ephemeral_5m_input_tokens"]) ?? 0
  const written1h = countOf(split?.["ephemeral_1h_input_tokens"]) ?? 0
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

/** Everything in the prompt of one call, the cache included. */
export function contextOf(usage: Usage): number {
  return toTokenTotals([{ model: undefined, usage, contextTokens: 0, role: "answer" }]).inputTokens
}

/** Iterations that the top level does not hold. `message` and `fallback_message` are summed in it already. */
const EXTRA = { compaction: "compaction", advisor_message: "advisor" } as const

/**
 * The parts of one answer: its top level, and each compaction and advisor call beside it. The size that counts for
 * long-context prices is that of the largest single call, not the sum of them.
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

/** Streams restate writes without their lifetimes; the calls that the top level sums still have them. */
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
