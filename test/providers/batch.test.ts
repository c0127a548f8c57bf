import { describe, expect, test } from "vitest"
import { computeCost } from "../../src/core/compute-cost.ts"
import type { PriceEntry } from "../../src/core/cost.ts"
import { NO_READING, NO_USAGE } from "../../src/core/usage.ts"
import { BatchSums, readBatch } from "../../src/providers/_batch.ts"

/** Returns the cost of a batch with one line of each size, for a model with a long-context tier. */
function costOf(sizes: readonly number[], above: number) {
  const sums = new BatchSums()
  for (const size of sizes) {
    const usage = { ...NO_USAGE, input: size }
    sums.add({ ...NO_READING, source: "reported", parts: [{ model: "m", usage, contextTokens: size, role: "answer" }] })
  }
  const reading = readBatch(sums.toUsage() ?? {}) ?? NO_READING
  const entry: PriceEntry = {
    model: "m",
    base: { input: "1" },
    tiers: [{ above, rates: { input: "2" } }],
    sources: { input: { source: "test", date: undefined } },
  }
  const question = { provider: "p", requestedModel: undefined, reading, at: 0 }
  const resolution = { kind: "priced" as const, entry, factors: [], doubts: [], unsure: {} }
  const { status, totalCost } = computeCost(question, () => resolution, { trustReported: false })
  return [status, totalCost]
}

describe("the lines of a batch are priced one by one", () => {
  test.each([199_999, 200_000, 271_999, 272_000])("also at the threshold %i and one token above it", (above) => {
    const sum = (above - 1000 + above + 2 * (above + 1)) / 1e6
    expect(costOf([above - 1000, above, above + 1], above)).toEqual(["exact", String(sum)])
  })

  test("and a threshold that lies between lines that were added up makes the sum an estimate", () => {
    expect(costOf([140_000, 160_000], 150_000)).toEqual(["estimated", "0.6"])
    expect(costOf([140_000, 145_000], 150_000)).toEqual(["exact", "0.285"])
  })
})
