import { NO_READING, type Reading, type Units } from "../../core/usage.ts"
import { readBatch } from "../_batch.ts"
import { boundedJson } from "../_bounded-json.ts"
import type { Evidence } from "../_evidence.ts"
import { countOf, type JsonObject, objectOf, textOf } from "../_values.ts"
import { findContradiction, readParts, reportsTokens } from "./usage.ts"

/** Returns the reading of an answer of Anthropic's: live, stored, or one line of a batch's results. */
export function toReading({ model, usage, source, isFree }: Evidence): Reading {
  if (!usage) return { ...NO_READING, model, free: isFree }
  const batch = readBatch(usage)
  if (batch) return batch
  if (!reportsTokens(usage)) return { ...NO_READING, model, free: isFree }
  return {
    model,
    parts: readParts(usage, model),
    units: unitsOf(usage),
    tier: textOf(usage["service_tier"])?.toLowerCase(),
    speed: textOf(usage["speed"])?.toLowerCase(),
    geo: geoOf(usage["inference_geo"]),
    reportedCostUsd: undefined,
    raw: boundedJson(usage),
    source,
    free: isFree,
    inconsistent: findContradiction(usage),
  }
}

const NO_UNITS: Units = {}

function unitsOf(usage: JsonObject): Units {
  const searches = countOf(objectOf(usage["server_tool_use"])?.["web_search_requests"])
  return searches ? { webSearches: searches } : NO_UNITS
}

function geoOf(value: unknown): string | undefined {
  const geo = textOf(value)?.toLowerCase()
  return geo === "not_available" ? undefined : geo
}
