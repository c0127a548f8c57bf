import { describe, expect, test } from "vitest"
import { computeCost } from "../../src/core/compute-cost.ts"
import type { Cost, PriceEntry, Rates, Resolution, Resolve } from "../../src/core/cost.ts"
import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import { BUCKETS, NO_READING, NO_USAGE, type Part, type Reading, type Usage } from "../../src/core/usage.ts"

const RATES: Rates = { input: "2", cacheRead: "0.2", output: "10", reasoning: "10", webSearches: "0.01" }

function entry(base: Rates = RATES, tiers: PriceEntry["tiers"] = []): PriceEntry {
  const sources = Object.fromEntries(Object.keys(base).map((name) => [name, { source: "test", date: "2026-01-01" }]))
  return { model: "m-1", base, tiers, sources }
}

function priced(more: Partial<Extract<Resolution, { kind: "priced" }>> = {}): Resolution {
  return { kind: "priced", entry: entry(), factors: [], doubts: [], unsure: {}, ...more }
}

function part(usage: Partial<Usage>, more: Partial<Part> = {}): Part {
  return { model: "m", usage: { ...NO_USAGE, ...usage }, contextTokens: 0, role: "answer", ...more }
}

function cost(
  reading: Partial<Reading>,
  resolve: Resolve = () => priced(),
  more: { readonly failed?: boolean; readonly trustReported?: boolean } = {},
): Cost {
  const { failed = false, trustReported = false } = more
  const question = { provider: "p", requestedModel: "m", at: 0, failed }
  const full = { ...NO_READING, model: "m", source: "reported" as const, ...reading }
  return computeCost({ ...question, reading: full }, resolve, { trustReported })
}

describe("the status of a cost", () => {
  test("is exact if the provider reported the usage and all rates are listed", () => {
    const { price, ...rest } = cost({ parts: [part({ input: 600, cacheRead: 400, output: 500 })] })

    expect(rest).toEqual({ status: "exact", inputCost: "0.00128", outputCost: "0.005", totalCost: "0.00628" })
    expect(price?.lines[1]).toEqual({
      side: "input",
      bucket: "cacheRead",
      model: "m-1",
      quantity: 400,
      rate: "0.2",
      per: "million",
      factor: "1",
      amount: "0.00008",
      source: "test",
      date: "2026-01-01",
    })
    expect(price?.reason).toBeUndefined()
  })

  test("is estimated if the tokens were counted from the text", () => {
    expect(cost({ parts: [part({ output: 5 })], source: "estimated" })).toMatchObject({
      status: "estimated",
      price: { reason: "usage counted from the text" },
    })
  })

  test("is estimated if a rate that was used may be wrong, but not if the rate was not used", () => {
    const resolve = () => priced({ unsure: { cacheRead: "cacheRead is not listed" } })

    expect(cost({ parts: [part({ cacheRead: 1 })] }, resolve)).toMatchObject({
      status: "estimated",
      price: { reason: "cacheRead is not listed" },
    })
    expect(cost({ parts: [part({ input: 1 })] }, resolve).status).toBe("exact")
  })

  test("is unpriced without a price, and the cost is then undefined, not 0", () => {
    const unknown = cost({ parts: [part({ input: 1 })] }, () => ({ kind: "unknown", reason: "no price for m" }))

    expect(unknown).toEqual({
      status: "unpriced",
      inputCost: undefined,
      outputCost: undefined,
      totalCost: undefined,
      price: { lines: [], reason: "no price for m" },
    })
  })

  test("is unpriced if a bucket in use has no rate", () => {
    expect(cost({ parts: [part({ input: 1, outputImage: 1 })] })).toMatchObject({
      status: "unpriced",
      totalCost: undefined,
      price: { reason: "no rate for outputImage of m-1" },
    })
  })

  test("is unpriced for a successful answer without usage", () => {
    expect(cost({ source: "none" })).toMatchObject({
      status: "unpriced",
      totalCost: undefined,
      price: { reason: "the answer reported no usage" },
    })
  })

  test("is free for an error without usage, but not for an error with usage", () => {
    expect(cost({ source: "none" }, undefined, { failed: true })).toMatchObject({
      status: "free",
      totalCost: "0",
      price: { reason: "provider error: not billed" },
    })
    expect(cost({ parts: [part({ input: 1000 })] }, undefined, { failed: true }).totalCost).toBe("0.002")
  })

  test("is free by the provider's rule, whatever the usage is", () => {
    expect(cost({ free: true, parts: [part({ input: 1000 })] })).toMatchObject({ status: "free", totalCost: "0" })
  })

  test("is inconsistent for contradicting numbers, with the contradiction as reason and the clamped numbers priced", () => {
    expect(cost({ parts: [part({ cacheRead: 10 })], inconsistent: "161 cached of 10" })).toMatchObject({
      status: "inconsistent",
      totalCost: "0.000002",
      price: { reason: "161 cached of 10" },
    })
  })

  test("is exact, with a cost of 0, for an answer that reports a usage of 0", () => {
    expect(cost({ parts: [part({})] })).toMatchObject({ status: "exact", totalCost: "0" })
  })
})

describe("each part", () => {
  test("is priced at the rates of its own model", () => {
    const resolve: Resolve = (model) => priced({ entry: entry({ input: model === "advisor" ? "20" : "2" }) })

    const both = cost(
      { parts: [part({ input: 1_000_000 }), part({ input: 1_000_000 }, { model: "advisor", role: "advisor" })] },
      resolve,
    )

    expect(both.totalCost).toBe("22")
  })

  test("makes the whole answer unpriced if it has no price", () => {
    const resolve: Resolve = (model) => (model === "m" ? priced() : { kind: "unknown", reason: "no price for x" })

    expect(cost({ parts: [part({ input: 1 }), part({ input: 1 }, { model: "x" })] }, resolve)).toMatchObject({
      status: "unpriced",
      totalCost: undefined,
    })
  })

  test("has the long-context rates as a whole above the threshold, but not at it", () => {
    const tiers = [{ above: 1000, rates: { input: "4" } }]
    const resolve = () => priced({ entry: entry(RATES, tiers) })
    const of = (contextTokens: number) => cost({ parts: [part({ input: 1_000_000 }, { contextTokens })] }, resolve)

    expect(of(1000).totalCost).toBe("2")
    expect(of(1001).totalCost).toBe("4")
  })
})

describe("multipliers and fees", () => {
  test("multipliers apply to all tokens and to no fee", () => {
    const factors = [
      { name: "batch", value: "0.5" },
      { name: "region us", value: "1.1" },
    ]

    const all = cost({ parts: [part({ input: 1_000_000 })], units: { webSearches: 2 } }, () => priced({ factors }))

    expect(all.price?.lines.map(({ factor, amount }) => [factor, amount])).toEqual([
      ["0.55", "1.1"],
      ["1", "0.02"],
    ])
    expect(all.totalCost).toBe("1.12")
  })

  test("a fee without a rate makes the sum an estimate, with a reason", () => {
    expect(cost({ parts: [part({ input: 1 })], units: { codeContainers: 1 } })).toMatchObject({
      status: "estimated",
      price: { reason: "no rate for codeContainers of m-1: not in the sum" },
    })
  })

  test("a fee without a rate is not a cost of 0 if it is alone", () => {
    expect(cost({ units: { images: 1 }, source: "none" })).toMatchObject({ status: "unpriced", totalCost: undefined })
  })
})

describe("the cost that the provider reports", () => {
  const reading = { parts: [part({ input: 1000, output: 1000 })], reportedCostUsd: "0.024" }

  test("is the cost if it is trusted, split in the proportion of our own sum, and both are kept", () => {
    expect(cost(reading, undefined, { trustReported: true })).toMatchObject({
      status: "exact",
      inputCost: "0.004",
      outputCost: "0.02",
      totalCost: "0.024",
      price: { reported: "0.024", computed: "0.012" },
    })
  })

  test.each([undefined, "-1", "free", "1e-3", "1000001"])("is ignored if it is %j", (reportedCostUsd) => {
    expect(cost({ ...reading, reportedCostUsd }, undefined, { trustReported: true }).totalCost).toBe("0.012")
  })

  test("is a cost if it is 0, and rounded if it has more digits than money", () => {
    const reported = (reportedCostUsd: string) =>
      cost({ ...reading, reportedCostUsd }, undefined, { trustReported: true })

    expect(reported("0")).toMatchObject({ status: "exact", inputCost: "0", outputCost: "0", totalCost: "0" })
    expect(reported("0.0240000000000000004").totalCost).toBe("0.024")
  })

  test("is an estimate if the provider calls it one", () => {
    const estimate = { ...reading, isReportedCostEstimated: true }

    expect(cost(estimate, undefined, { trustReported: true })).toMatchObject({
      status: "estimated",
      totalCost: "0.024",
      price: { reason: "the provider calls its own figure an estimate" },
    })
  })

  test("is ignored if it is not trusted", () => {
    expect(cost(reading).totalCost).toBe("0.012")
  })

  test("is the cost without a split if we have no price", () => {
    const unknown: Resolve = () => ({ kind: "unknown", reason: "no price for m" })

    expect(cost(reading, unknown, { trustReported: true })).toMatchObject({
      status: "exact",
      inputCost: undefined,
      outputCost: undefined,
      totalCost: "0.024",
      price: { reported: "0.024", reason: "no price for m" },
    })
  })
})

describe("for any usage", () => {
  /** Returns pseudo-random numbers that are the same in each run. */
  function createDice(seed: number) {
    let state = seed
    return (sides: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * sides)
    }
  }

  test("the lines add up to the last digit, no amount is negative, and a known price is used", () => {
    const dice = createDice(20_261_121)
    for (let round = 0; round < 2000; round++) {
      const rate = () => formatDecimal(BigInt(dice(1_000_000_000)) * 10n ** BigInt(6 + dice(6)))
      const base = Object.fromEntries(BUCKETS.map((bucket) => [bucket, rate()]))
      const usage = Object.fromEntries(BUCKETS.map((bucket) => [bucket, dice(3) === 0 ? dice(2 ** 31) : 0]))
      const factors = dice(2) ? [] : [{ name: "f", value: "1.666666666666666667" }]
      const resolve = () => priced({ entry: entry(base), factors })

      const { status, inputCost, outputCost, totalCost, price } = cost({ parts: [part(usage), part(usage)] }, resolve)

      const sum = (side: string | undefined) =>
        price!.lines
          .filter((line) => side === undefined || line.side === side)
          .reduce((total, line) => total + parseDecimal(line.amount), 0n)
      expect(status).toBe("exact")
      expect(formatDecimal(sum("input"))).toBe(inputCost)
      expect(formatDecimal(sum("output"))).toBe(outputCost)
      expect(formatDecimal(sum(undefined))).toBe(totalCost)
      for (const line of price!.lines) {
        expect(parseDecimal(line.amount)).toBeGreaterThanOrEqual(0n)
        expect(line.amount).toMatch(/^\d+(\.\d{1,12})?$/)
      }
    }
  })

  test("a reported total is split without losing a digit", () => {
    const dice = createDice(7)
    for (let round = 0; round < 500; round++) {
      const reportedCostUsd = formatDecimal(BigInt(1 + dice(2 ** 30)) * 10n ** 6n)
      const parts = [part({ input: dice(100_000), output: dice(100_000) })]
      const { inputCost, outputCost, totalCost } = cost({ parts, reportedCostUsd }, undefined, { trustReported: true })
      expect(formatDecimal(parseDecimal(inputCost!) + parseDecimal(outputCost!))).toBe(totalCost)
      expect(totalCost).toBe(reportedCostUsd)
      expect(parseDecimal(outputCost!)).toBeGreaterThanOrEqual(0n)
    }
  })
})

describe("what was billed and is not stated", () => {
  test("makes an estimate, with the reason", () => {
    const reading = { parts: [part({ input: 1000 })], missing: ["the tokens of the image tool are not in the answer"] }

    expect(cost(reading)).toMatchObject({
      status: "estimated",
      totalCost: "0.002",
      price: { reason: "the tokens of the image tool are not in the answer" },
    })
  })

  test("a unit without a rate and nothing else has no cost, which is not 0", () => {
    const { status, totalCost } = cost({ parts: [part({})], units: { mapsQueries: 2 } })

    expect([status, totalCost]).toEqual(["unpriced", undefined])
  })
})
