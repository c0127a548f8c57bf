import { BUCKETS, NO_READING, type Part, type Reading, type Units, type Usage } from "../core/usage.ts"
import { boundedJson } from "./_raw.ts"

/** One answer among many in one body: a line of a batch's results. */
export interface Piece {
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
    add(piece: Piece) {
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
        raw: { answers, usages: raws },
        source: "reported",
        inconsistent,
      }
    },
  }
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
