import { describe, expect, test } from "vitest"
import { computeCost } from "../../src/core/compute-cost.ts"
import type { PriceEntry } from "../../src/core/cost.ts"
import { NO_READING } from "../../src/core/usage.ts"
import { readBatch } from "../../src/providers/_batch.ts"

/** Returns the cost of a row of an earlier version with these sums, for a model with a long-context tier. */
function costOf(
  sums: readonly { readonly input: number; readonly least: number; readonly largest: number }[],
  above: number,
) {
  const usage = {
    answers: 2,
    sums: sums.map(({ input, least, largest }) => ({
      model: "m",
      context_tokens: largest,
      least_context_tokens: least,
      buckets: { input },
    })),
  }
  const entry: PriceEntry = {
    model: "m",
    base: { input: "1" },
    tiers: [{ above, rates: { input: "2" } }],
    sources: { input: { source: "test", date: undefined } },
  }
  const question = { provider: "p", requestedModel: undefined, reading: readBatch(usage) ?? NO_READING, at: 0 }
  const resolution = { kind: "priced" as const, entry, factors: [], doubts: [], unsure: {} }
  const { status, totalCost } = computeCost(question, () => resolution, { trustReported: false })
  return [status, totalCost]
}

describe("a row of an earlier version that added up the results of a batch", () => {
  test("is priced by the band of prompt size of each sum", () => {
    const bands = [
      { input: 399_000, least: 199_000, largest: 200_000 },
      { input: 200_001, least: 200_001, largest: 200_001 },
    ]
    expect(costOf(bands, 200_000)).toEqual(["exact", "0.799002"])
  })

  test("is an estimate if a threshold lies between the results of one sum", () => {
    expect(costOf([{ input: 300_000, least: 140_000, largest: 160_000 }], 150_000)).toEqual(["estimated", "0.6"])
    expect(costOf([{ input: 285_000, least: 140_000, largest: 145_000 }], 150_000)).toEqual(["exact", "0.285"])
  })
})
