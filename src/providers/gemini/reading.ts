import { NO_READING, type Reading } from "../../core/usage.ts"
import { readBatch } from "../_batch.ts"
import { boundedJson } from "../_bounded-json.ts"
import type { Evidence } from "../_evidence.ts"
import { readKept } from "../_pieces.ts"
import { readReportedCost } from "../_reported-cost.ts"
import { objectOf } from "../_values.ts"
import { readGrounding } from "./grounding.ts"
import { doubtsOfEmbedding } from "./predictions.ts"
import { modelIn, OPERATIONS } from "./routes.ts"
import { readUsage, reportsTokens, tierOf } from "./usage.ts"

/**
 * The members that the gateway adds to `usageMetadata`. Stored rows have them, so their names stay:
 * - `serviceTier`: the tier, where an earlier chunk of a stream stated it
 * - `grounding`: `web_search_queries` and `maps_queries`, the numbers of queries of a grounded answer; 0 if not stated
 * - `billed_beside`: `pieces` and `kinds`, for answers that are billed by the piece and have no other usage (earlier
 *   versions had `images`), and `missing`, why they may not be billed
 * - `estimated_from_text`: counts that the gateway made itself, because the stream ended without them
 */
const ADDED_MEMBERS = ["serviceTier", "grounding", "billed_beside", "estimated_from_text"]

/** Members that only the gateway may write. A provider's own members of these names are removed before they are misread. */
export const RESERVED_MEMBERS = ["grounding", "billed_beside", "estimated_from_text", "sums"]

/** Returns the reading of an answer of Gemini's: live, stored, or one line of a batch's results. */
export function toReading({ method, path, model, usage, source, isFree }: Evidence): Reading {
  const { kind } = OPERATIONS.find(method, path)
  if (!usage) return { ...NO_READING, model, tier: kind === "file" ? "batch" : undefined, free: isFree }
  const batch = readBatch(usage)
  if (batch) return batch
  const kept = readKept(objectOf(usage["billed_beside"]))
  if (kept) {
    const { pieces: units, kinds, missing } = kept
    return { ...NO_READING, model, raw: usage, units, ...(kinds ? { kinds } : {}), free: isFree, missing }
  }
  if (!reportsTokens(usage)) return { ...NO_READING, model, free: isFree }
  const read = readUsage(usage, kind === "embedding" ? SPLIT_PICTURES : kind === "live" ? SPLIT_ALL : {})
  const grounding = objectOf(usage["grounding"])
  const fees = grounding ? readGrounding(grounding, model ?? modelIn(path)) : NO_FEES
  return {
    model,
    parts: [
      {
        model,
        usage: read.usage,
        contextTokens: read.contextTokens,
        role: "answer",
        ...(kind === "live" && { isSpoken: true }),
      },
    ],
    units: fees.units,
    tier: tierOf(usage),
    speed: undefined,
    geo: undefined,
    ...readReportedCost(usage),
    raw: boundedJson(usage, ADDED_MEMBERS),
    source,
    free: isFree,
    inconsistent: read.inconsistent,
    missing: fees.missing ?? doubtsOfEmbedding(usage, model ?? modelIn(path)),
  }
}

const SPLIT_PICTURES = { images: "pictures" } as const
const SPLIT_ALL = { images: "all" } as const
const NO_FEES = { units: {}, missing: undefined }
