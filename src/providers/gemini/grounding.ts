import type { Units } from "../../core/usage.ts"
import { listOf, objectOf } from "../_values.ts"

/** Queries of one answer that are told apart, and looked at. */
const MAX_QUERIES = 256

/**
 * Counts what grounding with Google Search bills: from Gemini 3 on each search query, before that each grounded
 * request once. A stream repeats the queries, so they are told apart by their text, which is not kept.
 */
export function createGrounding() {
  const queries = new Set<string>()
  let longest = 0
  let grounded = false
  return {
    add(metadata: unknown) {
      const object = objectOf(metadata)
      if (!object) return
      const list = listOf(object["webSearchQueries"])
      longest = Math.max(longest, list.length)
      for (const query of list) {
        if (typeof query === "string" && queries.size < MAX_QUERIES) queries.add(query)
      }
      if (queries.size > 0 || listOf(object["groundingChunks"]).length > 0) grounded = true
    },
    units(model: string | undefined): { readonly units: Units; readonly calls: object | undefined } {
      if (!grounded) return { units: {}, calls: undefined }
      const count = Math.max(queries.size, longest)
      const calls = { web_search_queries: count }
      return { units: groundingUnits(count, model), calls }
    },
  }
}

/** What a grounded answer with so many queries is billed. */
export function groundingUnits(queries: number, model: string | undefined): Units {
  if (!isBilledByQuery(model)) return { groundedRequests: 1 }
  return queries > 0 ? { groundingQueries: queries } : {}
}

/** Gemini 3 and later; names without a version (`gemini-flash-latest`) are later too. */
function isBilledByQuery(model: string | undefined): boolean {
  const version = /gemini-(\d+)/.exec(model ?? "")?.[1]
  return version === undefined || Number(version) >= 3
}
