import { BUCKETS, NO_READING, type Part, type Reading, type Units, type Usage } from "../core/usage.ts"
import { boundedJson } from "./_bounded-json.ts"
import { countOf, type JsonObject, listOf, objectOf, textOf } from "./_values.ts"

/**
 * Prompt sizes from which some model costs more. Answers on the same side of all of them can be added up. Lists differ by
 * one token: "over 272,000" in one is "from 272,000" in another.
 */
const PRICE_THRESHOLDS = [100_000, 128_000, 200_000, 256_000, 272_000, 512_000].flatMap((size) => [size - 1, size])
const MAX_SUMS = 64
const MAX_USAGES_KEPT = 8
const MAX_REASONS = 8

interface Sum {
  readonly model: string | undefined
  usage: Usage
  contextTokens: number
  leastContextTokens: number
}

/**
 * Adds up the answers in one body, such as the lines of a batch's result file, by model and by band of prompt size. So
 * memory is bounded and prices stay exact.
 */
export class BatchSums {
  private readonly sums = new Map<string, Sum>()
  private readonly usages: unknown[] = []
  private units: Units = {}
  private answers = 0
  private inconsistent: string | undefined
  private readonly missing = new Set<string>()

  /** Adds one answer. One without usage adds nothing. */
  add(answer: Reading): void {
    if (answer.parts.length === 0) return
    this.answers++
    this.inconsistent ??= answer.inconsistent
    for (const reason of answer.missing ?? []) if (this.missing.size < MAX_REASONS) this.missing.add(reason)
    this.units = addUnits(this.units, answer.units)
    if (this.usages.length < MAX_USAGES_KEPT) this.usages.push(boundedJson(answer.raw))
    for (const part of answer.parts) this.addPart(part)
  }

  /** Returns the sums as the row keeps them; undefined when no answer had usage. `readBatch` reads them. */
  toUsage(): JsonObject | undefined {
    if (this.answers === 0) return undefined
    return {
      answers: this.answers,
      usages: this.usages,
      sums: [...this.sums.values()].map(({ model, usage, contextTokens, leastContextTokens }) => ({
        model,
        context_tokens: contextTokens,
        ...(leastContextTokens === contextTokens ? {} : { least_context_tokens: leastContextTokens }),
        buckets: Object.fromEntries(Object.entries(usage).filter(([, count]) => count > 0)),
      })),
      ...(Object.keys(this.units).length > 0 ? { units: this.units } : {}),
      ...(this.inconsistent === undefined ? {} : { inconsistent: this.inconsistent }),
      ...(this.missing.size > 0 ? { missing: [...this.missing] } : {}),
    }
  }

  private addPart({ model, usage, contextTokens }: Part): void {
    const band = PRICE_THRESHOLDS.filter((threshold) => contextTokens > threshold).length
    const key = `${band} ${model ?? ""}`
    const sum = this.sums.get(key)
    if (sum) {
      sum.usage = addUsage(sum.usage, usage)
      sum.contextTokens = Math.max(sum.contextTokens, contextTokens)
      sum.leastContextTokens = Math.min(sum.leastContextTokens, contextTokens)
    } else if (this.sums.size < MAX_SUMS) {
      this.sums.set(key, { model, usage, contextTokens, leastContextTokens: contextTokens })
    } else {
      this.inconsistent ??= `more than ${MAX_SUMS} models in one body: some are not counted`
    }
  }
}

/** Returns the reading of what `BatchSums` made; undefined when the usage is not of that kind. */
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

function addUsage(a: Usage, b: Usage): Usage {
  const sum: Record<string, number> = {}
  for (const bucket of BUCKETS) sum[bucket] = a[bucket] + b[bucket]
  return sum as unknown as Usage
}

function addUnits(a: Units, b: Units): Units {
  const sum: Record<string, number> = { ...a }
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + (count ?? 0)
  return sum
}
