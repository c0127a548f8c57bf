import type { Units } from "../../core/usage.ts"
import { countOf, type JsonObject, listOf, objectOf, textOf } from "../_values.ts"

/** The most queries of one answer that are compared with each other. */
const MAX_QUERIES = 256

/**
 * Collects what grounding bills: Google Search and Google Maps, each for itself. From Gemini 3 on each query is billed,
 * before that each grounded request once. Chunks of File Search (`retrievedContext`) and of URL context have no fee. A
 * stream repeats its queries, so their texts are compared; the texts are not stored.
 */
export class Grounding {
  private readonly queries = new Set<string>()
  private hasEntryPoint = false
  private hasWebChunk = false
  private hasMapsChunk = false

  add(metadata: JsonObject): void {
    for (const query of listOf(metadata["webSearchQueries"])) {
      if (typeof query === "string" && query !== "" && this.queries.size < MAX_QUERIES) this.queries.add(query)
    }
    this.hasEntryPoint ||= objectOf(metadata["searchEntryPoint"]) !== undefined
    this.hasMapsChunk ||= textOf(metadata["googleMapsWidgetContextToken"]) !== undefined
    for (const element of listOf(metadata["groundingChunks"])) {
      const chunk = objectOf(element)
      this.hasWebChunk ||= objectOf(chunk?.["web"]) !== undefined
      this.hasMapsChunk ||= objectOf(chunk?.["maps"]) !== undefined
    }
  }

  /** Returns what the row keeps of it; undefined when nothing is billed. */
  toUsage(): JsonObject | undefined {
    // The queries of an answer that shows only places were asked of Maps.
    const isSearch = this.hasEntryPoint || (this.queries.size > 0 && (this.hasWebChunk || !this.hasMapsChunk))
    if (!isSearch && !this.hasMapsChunk) return undefined
    return {
      ...(isSearch ? { web_search_queries: this.queries.size } : {}),
      ...(this.hasMapsChunk ? { maps_queries: isSearch ? 0 : this.queries.size } : {}),
    }
  }
}

/** Returns the counts of the Interactions API as the row keeps them; undefined when nothing is billed. */
export function groundingOfInteraction(usage: JsonObject | undefined): JsonObject | undefined {
  const counts = { google_search: 0, google_maps: 0 }
  for (const element of listOf(usage?.["grounding_tool_count"])) {
    const { type, count } = objectOf(element) ?? {}
    if (type === "google_search" || type === "google_maps") counts[type] += countOf(count) ?? 0
  }
  const { google_search: searches, google_maps: maps } = counts
  if (searches + maps === 0) return undefined
  return { ...(searches ? { web_search_queries: searches } : {}), ...(maps ? { maps_queries: maps } : {}) }
}

/** The billed units of a grounded answer, and those that the answer does not state. */
interface GroundingFees {
  readonly units: Units
  readonly missing: readonly string[] | undefined
}

/** Returns what is billed for a grounded answer of this model. */
export function readGrounding(grounding: JsonObject, model: string | undefined): GroundingFees {
  const searches = countOf(grounding["web_search_queries"])
  const maps = countOf(grounding["maps_queries"])
  if (!isBilledByQuery(model)) {
    const units = { ...(searches === undefined ? {} : ONE_REQUEST), ...(maps === undefined ? {} : ONE_MAPS_REQUEST) }
    return { units, missing: undefined }
  }
  const missing = [
    ...(searches === 0 ? ["the number of Google Search queries is not in the answer"] : []),
    ...(maps === 0 ? ["the number of Google Maps queries is not in the answer: counted as one"] : []),
  ]
  return {
    units: {
      ...(searches ? { groundingQueries: searches } : {}),
      ...(maps === undefined ? {} : { mapsQueries: Math.max(1, maps) }),
    },
    missing: missing.length > 0 ? missing : undefined,
  }
}

const ONE_REQUEST: Units = { groundedRequests: 1 }
const ONE_MAPS_REQUEST: Units = { mapsRequests: 1 }

/** Gemini 3 and later. Names without a version, such as `gemini-flash-latest`, are later too. */
function isBilledByQuery(model: string | undefined): boolean {
  const version = /gemini-(\d+)/.exec(model ?? "")?.[1]
  return version === undefined || Number(version) >= 3
}
