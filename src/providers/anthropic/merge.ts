import type { JsonObject } from "../_fold.ts"
import { countOf, listOf, objectOf } from "../_values.ts"

const INPUTS = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"] as const

/**
 * The usage of a stream after one more `message_delta`. Every field is cumulative: one that is said replaces, null or
 * missing means "not restated"; nothing is ever added or compared. A backend whose delta says 0 for all of its inputs
 * after a start that had some does not know them: the start stands.
 */
export function mergeUsage(start: JsonObject, delta: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...start }
  const blind = INPUTS.every((name) => !countOf(delta[name])) && INPUTS.some((name) => countOf(start[name]))
  for (const [name, value] of Object.entries(delta)) {
    if (value === null || value === undefined || name === "__proto__") continue
    if (blind && (INPUTS as readonly string[]).includes(name)) continue
    merged[name] = value
  }
  // The split by lifetime is never restated: the calls of the answer know it, else it is the start's, and what was
  // written after that has the default lifetime.
  if (!objectOf(delta["cache_creation"]) && listOf(delta["iterations"]).some(hasSplit)) {
    merged["cache_creation"] = undefined
  }
  return merged
}

function hasSplit(iteration: unknown): boolean {
  return objectOf(objectOf(iteration)?.["cache_creation"]) !== undefined
}
