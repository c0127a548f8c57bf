import { BUCKETS, NO_READING, type Part, type Reading, type Units, type Usage } from "../core/usage.ts"
import type { JsonObject } from "./_fold.ts"
import { boundedJson } from "./_raw.ts"
import { countOf, listOf, objectOf, textOf } from "./_values.ts"

/** One answer among many in one body: a line of a batch's results. */
export interface BatchItem {
  readonly model: string | undefined
  readonly usage: Usage
  readonly contextTokens: number
  readonly units: Units
  readonly raw: unknown
  readonly inconsistent: string | undefined
}

/** The thresholds from which some model is dearer; pieces on the same side of all of them can be summed. */
const THRESHOLDS = [128_000, 200_000, 256_000, 272_000, 512_000]
const MAX_SUMS = 64
const MAX_RAW = 8

interface Sum {
  readonly model: string | undefined
  usage: Usage
  contextTokens: number
}

/** Sums any number of answers by model and band of prompt size, so that memory is bounded and prices stay exact. */
export function createParts() {
  const sums = new Map<string, Sum>()
  const raws: unknown[] = []
  let units: Units = {}
  let answers = 0
  let inconsistent: string | undefined

  return {
    isEmpty: () => answers === 0,
    add(piece: BatchItem) {
      answers++
      inconsistent ??= piece.inconsistent
      units = addUnits(units, piece.units)
      if (raws.length < MAX_RAW) raws.push(boundedJson(piece.raw))
      const band = THRESHOLDS.filter((threshold) => piece.contextTokens > threshold).length
      const key = `${band} ${piece.model ?? ""}`
      const sum = sums.get(key)
      if (sum) {
        sum.usage = addUsage(sum.usage, piece.usage)
        sum.contextTokens = Math.max(sum.contextTokens, piece.contextTokens)
      } else if (sums.size < MAX_SUMS) {
        sums.set(key, { model: piece.model, usage: piece.usage, contextTokens: piece.contextTokens })
      } else {
        inconsistent ??= `more than ${MAX_SUMS} models in one body: some are not counted`
      }
    },
    reading(): Reading {
      if (answers === 0) return NO_READING
      const parts: Part[] = [...sums.values()].map((sum) => ({ ...sum, role: "answer" }))
      return {
        ...NO_READING,
        model: parts[0]?.model,
        parts,
        units,
        raw: {
          answers,
          usages: raws,
          sums: parts.map(({ model, usage, contextTokens }) => ({
            model,
            context_tokens: contextTokens,
            buckets: Object.fromEntries(Object.entries(usage).filter(([, count]) => count > 0)),
          })),
          ...(Object.keys(units).length > 0 ? { units } : {}),
          ...(inconsistent === undefined ? {} : { inconsistent }),
        },
        source: "reported",
        inconsistent,
      }
    },
  }
}

/** The reading of a body of many answers from its `raw`; undefined: it is of no such body. */
export function rereadParts(raw: JsonObject): Reading | undefined {
  if (!Array.isArray(raw["sums"])) return undefined
  const parts = listOf(raw["sums"]).flatMap((element): Part[] => {
    const sum = objectOf(element)
    const counts = objectOf(sum?.["buckets"])
    if (!sum || !counts) return []
    const usage: Record<string, number> = {}
    for (const bucket of BUCKETS) usage[bucket] = countOf(counts[bucket]) ?? 0
    const contextTokens = countOf(sum["context_tokens"]) ?? 0
    return [{ model: textOf(sum["model"]), usage: usage as unknown as Usage, contextTokens, role: "answer" }]
  })
  return {
    ...NO_READING,
    model: parts[0]?.model,
    parts,
    units: readUnits(raw["units"]),
    tier: "batch",
    raw,
    source: "reported",
    inconsistent: textOf(raw["inconsistent"]),
  }
}

function readUnits(stored: unknown): Units {
  const units: Record<string, number> = {}
  for (const [name, count] of Object.entries(objectOf(stored) ?? {})) {
    if (typeof count === "number" && count >= 0) units[name] = count
  }
  return units
}

export function addUsage(a: Usage, b: Usage): Usage {
  const sum: Record<string, number> = {}
  for (const bucket of BUCKETS) sum[bucket] = a[bucket] + b[bucket]
  return sum as unknown as Usage
}

function addUnits(a: Units, b: Units): Units {
  const sum: Record<string, number> = { ...a }
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + (count ?? 0)
  return sum
}
