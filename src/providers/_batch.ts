import { BUCKETS, NO_READING, type Part, type Reading, type Units, type Usage } from "../core/usage.ts"
import { countOf, type JsonObject, listOf, objectOf, textOf } from "./_values.ts"

/**
 * Returns the reading of the usage in a row of an earlier version, which added up all results of a batch: `sums` by model
 * and by band of prompt size. undefined: the usage is not of that kind.
 */
export function readBatch(usage: JsonObject): Reading | undefined {
  if (!Array.isArray(usage["sums"])) return undefined
  const parts = listOf(usage["sums"]).flatMap((element): Part[] => {
    const sum = objectOf(element)
    const counts = objectOf(sum?.["buckets"])
    if (!sum || !counts) return []
    const usage: Record<string, number> = {}
    for (const bucket of BUCKETS) usage[bucket] = countOf(counts[bucket]) ?? 0
    const contextTokens = countOf(sum["context_tokens"]) ?? 0
    const least = countOf(sum["least_context_tokens"])
    return [
      {
        model: textOf(sum["model"]),
        usage: usage as unknown as Usage,
        contextTokens,
        ...(least === undefined ? {} : { leastContextTokens: least }),
        role: "answer",
      },
    ]
  })
  return {
    ...NO_READING,
    model: parts[0]?.model,
    parts,
    units: readUnits(usage["units"]),
    tier: "batch",
    raw: usage,
    source: "reported",
    inconsistent: textOf(usage["inconsistent"]),
    missing: readMissing(usage["missing"]),
  }
}

function readMissing(stored: unknown): readonly string[] | undefined {
  const reasons = listOf(stored)
    .map(textOf)
    .filter((reason) => reason !== undefined)
  return reasons.length > 0 ? reasons : undefined
}

function readUnits(stored: unknown): Units {
  const units: Record<string, number> = {}
  for (const [name, count] of Object.entries(objectOf(stored) ?? {})) {
    if (typeof count === "number" && count >= 0) units[name] = count
  }
  return units
}
