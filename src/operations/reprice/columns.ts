import { NO_READING, NO_USAGE, type Reading } from "../../core/usage.ts"
import type { RepriceableRow } from "../../database/repricings.ts"

/**
 * Returns the reading of a row without the provider's usage object, such as a row of the Go gateway, from its token
 * columns; undefined if they are all 0.
 */
export function readColumns(row: RepriceableRow): Reading | undefined {
  const input = Number(row.input_tokens)
  const output = Number(row.output_tokens)
  if (input + output === 0) return undefined
  const cached = Math.min(Number(row.cached_tokens), input)
  const written = Math.min(Number(row.cache_creation_tokens), input - cached)
  const written1h = Math.min(Number(row.cache_creation_1h_tokens), written)
  const reasoning = Math.min(Number(row.reasoning_tokens), output)
  const usage = {
    ...NO_USAGE,
    input: input - cached - written,
    cacheRead: cached,
    cacheWrite: written - written1h,
    cacheWrite1h: written1h,
    output: output - reasoning,
    reasoning,
  }
  const model = row.model || undefined
  return { ...NO_READING, model, parts: [{ model, usage, contextTokens: input, role: "answer" }], source: "reported" }
}
