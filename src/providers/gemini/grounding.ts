import type { Units } from "../../core/usage.ts"
import { type JsonObject, listOf } from "../_values.ts"

/** The most queries of one answer that are compared with each other. */
const MAX_QUERIES = 256

/**
 * Counts what grounding with Google Search bills: from Gemini 3 on each search query, before that each grounded
 * request once. A stream repeats its queries, so their texts are compared; the texts are not stored.
 */
export class Grounding {
  private readonly queries = new Set<string>()
  private longest = 0
  private isGrounded = false

  add(metadata: JsonObject): void {
    const list = listOf(metadata["webSearchQueries"])
    this.longest = Math.max(this.longest, list.length)
    for (const query of list) {
      if (typeof query === "string" && this.queries.size < MAX_QUERIES) this.queries.add(query)
    }
    if (this.queries.size > 0 || listOf(metadata["groundingChunks"]).length > 0) this.isGrounded = true
  }

  /** Returns the usage that the row stores of it; undefined when the answer was not grounded. */
  toUsage(): JsonObject | undefined {
    return this.isGrounded ? { web_search_queries: Math.max(this.queries.size, this.longest) } : undefined
  }
}

/** Returns what is billed for a grounded answer with this number of queries. */
export function groundingUnits(queries: number, model: string | undefined): Units {
  if (!isBilledByQuery(model)) return { groundedRequests: 1 }
  return queries > 0 ? { groundingQueries: queries } : {}
}

/** Gemini 3 and later. Names without a version, such as `gemini-flash-latest`, are later too. */
function isBilledByQuery(model: string | undefined): boolean {
  const version = /gemini-(\d+)/.exec(model ?? "")?.[1]
  return version === undefined || Number(version) >= 3
}
