import { NO_READING, type Reading, type Units } from "../../core/usage.ts"
import { readBatch } from "../_batch.ts"
import { boundedJson } from "../_bounded-json.ts"
import type { Evidence } from "../_evidence.ts"
import { readReportedCost } from "../_reported-cost.ts"
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
    ...readReportedCost(usage),
    raw: boundedJson(usage, ADDED_MEMBERS),
    source,
    free: isFree,
    inconsistent: findContradiction(usage),
    missing: objectOf(usage["billed_beside"])?.["code_execution"] === true ? CODE_EXECUTION : undefined,
  }
}

/**
 * The member that the gateway adds to the usage object of the provider. Stored rows have it, so its name stays:
 * `billed_beside`: `code_execution`, true if the answer names the container in which code ran
 */
const ADDED_MEMBERS = ["billed_beside"]

/** Members that only the gateway may write. */
export const RESERVED_MEMBERS = ["billed_beside", "sums", "estimated_from_text"]

/** Containers are billed by the hour, beyond an allowance of the account. */
const CODE_EXECUTION = ["the time of code execution, which is billed by the hour of a container, is not in the answer"]

const NO_UNITS: Units = {}

function unitsOf(usage: JsonObject): Units {
  const searches = countOf(objectOf(usage["server_tool_use"])?.["web_search_requests"])
  return searches ? { webSearches: searches } : NO_UNITS
}

function geoOf(value: unknown): string | undefined {
  const geo = textOf(value)?.toLowerCase()
  return geo === "not_available" ? undefined : geo
}
