import type { Bucket } from "../../core/reconciliation.ts"

/**
 * Returns the bucket that a provider's text in lower case describes, such as `cached input tokens`, `input_cache_write_1h` or
 * `generate content output token count … short input text`: what is told of a cache or an output counts before the word
 * "input". Undefined if the text describes none.
 */
export function findBucket(text: string): Bucket | undefined {
  if (/uncached|no.?cache/.test(text)) return ofMedium(text, "input")
  if (/storage/.test(text)) return "storage"
  if (/session/.test(text)) return "session"
  if (/search|grounding|code.?(?:interpreter|execution)|container/.test(text)) return "tool"
  if (/cach(?:e|ing).?(?:write|creation)/.test(text)) return /1.?h/.test(text) ? "cache_write_1h" : "cache_write"
  if (/cach/.test(text)) return "cache_read"
  if (/output|completion/.test(text)) return ofMedium(text, "output")
  return /input|prompt/.test(text) ? ofMedium(text, "input") : undefined
}

/** Returns the served tier that a text in lower case names; a text without one is about the standard tier. */
export function findTier(text: string): string {
  return /(?<![a-z])(batch|flex|priority)/.exec(text)?.[1] ?? "standard"
}

function ofMedium(text: string, direction: "input" | "output"): Bucket {
  if (/audio/.test(text)) return `audio_${direction}`
  return /image/.test(text) ? `image_${direction}` : direction
}
