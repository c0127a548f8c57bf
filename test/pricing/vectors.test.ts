import { readFileSync } from "node:fs"
import { beforeAll, describe, expect, test } from "vitest"
import {
  BUCKETS,
  NO_READING,
  NO_USAGE,
  type Reading,
  type TokenTotals,
  toTokenTotals,
  type Units,
  type Usage,
} from "../../src/core/usage.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"

/** One calculation by hand: the usage, the row's token columns, the cost, and the arithmetic in between. */
interface Vector {
  readonly title: string
  readonly provider: string
  readonly model: string
  readonly at: string
  readonly tier?: string
  readonly speed?: string
  readonly geo?: string
  readonly reportedCostUsd?: string
  readonly contextTokens?: number
  readonly usage: Partial<Usage>
  readonly units?: Units
  readonly tokens: Partial<TokenTotals>
  readonly arithmetic: string
  readonly status: string
  readonly input?: string
  readonly output?: string
  readonly total?: string
}

function readingOf(vector: Vector): Reading {
  const usage = { ...NO_USAGE, ...vector.usage }
  const context = toTokenTotals([{ model: undefined, usage, contextTokens: 0, role: "answer" }]).inputTokens
  const isEmpty = BUCKETS.every((bucket) => usage[bucket] === 0)
  const { model, units = {}, tier, speed, geo, reportedCostUsd, contextTokens = context } = vector
  const parts = isEmpty ? [] : [{ model, usage, contextTokens, role: "answer" as const }]
  return { ...NO_READING, model, parts, units, tier, speed, geo, reportedCostUsd, source: "reported" }
}

describe.each(["openai", "anthropic", "others"])("vectors: %s", (file) => {
  let book: PriceBook
  beforeAll(async () => {
    book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: () => 0, log: () => {} })
  })
  const path = new URL(`../vectors/${file}.json`, import.meta.url)
  const vectors = JSON.parse(readFileSync(path, "utf8")) as readonly Vector[]

  test.each(vectors.map((vector) => [vector.title, vector] as const))("%s", (_, vector) => {
    const reading = readingOf(vector)

    const cost = book.price({
      provider: vector.provider,
      requestedModel: vector.model,
      reading,
      at: Date.parse(vector.at),
    })

    const { status, inputCost, outputCost, totalCost } = cost
    expect({ status, input: inputCost, output: outputCost, total: totalCost }, vector.arithmetic).toEqual({
      status: vector.status,
      input: vector.input,
      output: vector.output,
      total: vector.total,
    })
    expect(toTokenTotals(reading.parts)).toMatchObject(vector.tokens)
    if (status === "estimated" || status === "unpriced") expect(cost.price?.reason).toBeTruthy()
  })
})
