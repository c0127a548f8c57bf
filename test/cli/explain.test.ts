import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { renderExplanation } from "../../src/cli/usage/_explain.ts"
import type { LogRecord } from "../../src/core/log-record.ts"
import { BUCKETS, NO_READING, type Part, type Reading, toTokenTotals, type Usage } from "../../src/core/usage.ts"
import { INSERT_ROWS } from "../../src/database/ledger/insert.ts"
import { explainCost } from "../../src/operations/requests/explain.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { askRequest } from "../../src/reports/index.ts"
import { aRecord, connect } from "../database/_ledger.ts"
import { createRandom } from "../providers/_random.ts"
import { createTestDatabase } from "../support/postgres.ts"

const PIPE = { width: undefined, color: false, drawing: false }
const AT = "2026-11-20T12:00:00.000Z"

let book: PriceBook
beforeAll(async () => {
  book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: () => Date.parse(AT), log: () => {} })
})
afterAll(() => book.close())

function priced(provider: string, model: string, reading: Reading): LogRecord {
  const cost = book.price({ provider, requestedModel: model, reading, at: Date.parse(AT) })
  const tokens = toTokenTotals(reading.parts)
  return aRecord({
    id: crypto.randomUUID(),
    provider,
    model,
    requested_at: AT,
    input_tokens: tokens.inputTokens,
    cached_tokens: tokens.cachedTokens,
    cache_creation_tokens: tokens.cacheCreationTokens,
    cache_creation_1h_tokens: tokens.cacheCreation1hTokens,
    output_tokens: tokens.outputTokens,
    reasoning_tokens: tokens.reasoningTokens,
    input_cost: cost.inputCost,
    output_cost: cost.outputCost,
    total_cost: cost.totalCost,
    cost_status: cost.status,
    price: cost.price,
    usage: undefined,
  })
}

const USAGE = Object.fromEntries(BUCKETS.map((bucket) => [bucket, 0])) as unknown as Usage

function readingOf(usage: Partial<Usage>, more: Partial<Reading> = {}): Reading {
  const part: Part = { model: undefined, usage: { ...USAGE, ...usage }, contextTokens: 1000, role: "answer" }
  return { ...NO_READING, parts: [part], source: "reported", ...more }
}

describe("the lines of a cost", () => {
  test("add up to the row's three cost columns to the last digit, for random usage of every model", async () => {
    const { below: whole, one: pick } = createRandom(20_261_121)
    const models = book.models()
    const tiers = [undefined, "default", "flex", "priority", "batch", "standard"]
    const records = Array.from({ length: 1500 }, () => {
      const { provider, model } = pick(models)
      const usage = Object.fromEntries(
        BUCKETS.map((bucket) => [bucket, whole(3) === 0 ? whole(pick([9, 999, 1e6, 1e9])) : 0]),
      )
      const units =
        whole(2) === 0 ? { webSearches: whole(9), audioSeconds: whole(9999) / 7, groundingQueries: whole(3) } : {}
      const reported = whole(5) === 0 ? { reportedCostUsd: `0.${String(1 + whole(1e9)).padStart(10, "0")}7` } : {}
      const contextTokens = whole(400_000)
      const reading = readingOf(usage, { tier: pick(tiers), units, ...reported })
      const parts = reading.parts.map((part) => ({ ...part, contextTokens }))
      return priced(provider, model, { ...reading, parts })
    })
    const db = await connect((await createTestDatabase()).url)
    await db.query({ text: INSERT_ROWS, values: [JSON.stringify(records)] })

    const wrong: unknown[] = []
    const seen = new Set<string>()
    for (const { id } of records) {
      const row = (await db.query(askRequest(id))).rows[0]!
      const explained = explainCost(row)
      seen.add(String(row["cost_status"]))
      if (explained.reported !== null) seen.add("reported")
      if (explained.factors.length > 0) seen.add("factor")
      if (row["cost_status"] === "unpriced" ? row["total_cost"] !== null || !explained.reason : !explained.adds_up) {
        wrong.push({ row, explained })
      }
    }
    expect(wrong).toEqual([])
    expect([...seen].sort()).toEqual(["estimated", "exact", "factor", "reported", "unpriced"])
  })

  test("contain the tier, its factor, each fee, and the sum of both sides", () => {
    const row = priced(
      "openai",
      "gpt-5-mini",
      readingOf({ input: 1000, output: 10 }, { tier: "flex", units: { webSearches: 2 } }),
    )
    expect(`\n${renderExplanation(row as never, PIPE)}`).toMatchInlineSnapshot(`
      "
      Bucket               Model       Quantity   Rate  per  Factor     Amount  Source
      -------------------------------------------------------------------------------------------------
      input                gpt-5-mini     1,000  $0.25  1M     x0.5  $0.000125  genai-prices 2026-09-23
      output               gpt-5-mini        10     $2  1M     x0.5  $0.00001   genai-prices 2026-09-23
      input: web searches  gpt-5-mini         2  $0.01  1        x1  $0.02      genai-prices 2026-09-23
      -------------------------------------------------------------------------------------------------
      Total                                                          $0.020135
      Input $0.020125 + output $0.00001 = $0.020135
      Tier: flex
      Factor: tier flex x0.5"
    `)
  })

  test("contain the provider's figure and the gateway's figure", () => {
    const reading = readingOf({ input: 1000, output: 1000 }, { reportedCostUsd: "0.012" })
    const text = renderExplanation(priced("xai", "grok-4.5", reading) as never, PIPE)
    expect(text).toContain(
      "The provider's own figure, $0.012, is the cost.\nThe gateway's figure, by the lines above, is $0.008.",
    )
  })

  test("of a row without a price give the reason and what to do", () => {
    const row = priced("openai", "gpt-99-giga", readingOf({ input: 5 }))
    expect(renderExplanation(row as never, PIPE)).toBe(
      "Cost: unpriced\nWhy: no price for gpt-99-giga at openai\n" +
        "To do: give the model a price in pricing.overrides, then run: majordomo-gateway pricing reprice --since 2026-11-20 --model gpt-99-giga",
    )
  })

  test("of a row that was changed by hand do not add up, and say so", () => {
    const row = { ...priced("openai", "gpt-4o", readingOf({ input: 1000 })), total_cost: "0.002500000001" }
    expect(explainCost(row as never).adds_up).toBe(false)
    expect(renderExplanation(row as never, PIPE)).toContain("do not add up")
  })
})
