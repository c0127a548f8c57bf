import { countOf, type JsonObject, listOf, objectOf } from "../_values.ts"

const INPUTS = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"] as const

/** Returns true if the usage object states the size of the input. */
export function statesInput(usage: JsonObject): boolean {
  return INPUTS.some((name) => countOf(usage[name]) !== undefined)
}

/**
 * Returns the usage of a stream after one more `message_delta`. Every member is cumulative: a stated one replaces the
 * earlier, and null or missing means "not restated". Nothing is added or compared. A backend that states 0 for all
 * inputs, after a start that had some, does not know them, so the start's inputs stay.
 */
export function mergeUsage(start: JsonObject, delta: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...start }
  const knowsNoInput = INPUTS.every((name) => !countOf(delta[name])) && INPUTS.some((name) => countOf(start[name]))
  for (const [name, value] of Object.entries(delta)) {
    if (value === null || value === undefined || name === "__proto__") continue
    if (knowsNoInput && (INPUTS as readonly string[]).includes(name)) continue
    merged[name] = value
  }
  // The split by lifetime is never restated. The iterations have it, or else the start has, and what was written after
  // that has the default lifetime.
  if (!objectOf(delta["cache_creation"]) && listOf(delta["iterations"]).some(hasSplit)) {
    merged["cache_creation"] = undefined
  }
  return merged
}

function hasSplit(iteration: unknown): boolean {
  return objectOf(objectOf(iteration)?.["cache_creation"]) !== undefined
}
