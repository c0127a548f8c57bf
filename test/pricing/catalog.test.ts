import { expect, test } from "vitest"
import { NO_READING, NO_USAGE, type Reading, type Usage } from "../../src/core/usage.ts"
import { createPriceBook } from "../../src/pricing/catalog.ts"

function reading(model: string, usage: Partial<Usage>, more: Partial<Reading> = {}): Reading {
  const full = { ...NO_USAGE, ...usage }
  const contextTokens = full.input + full.cacheRead + full.cacheWrite + full.cacheWrite1h
  return {
    ...NO_READING,
    model,
    parts: [{ model, usage: full, contextTokens, role: "answer" }],
    source: "reported",
    ...more,
  }
}

test("a plain reading costs its tokens at the catalogue's rates", async () => {
  const book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: () => 0, log: () => {} })

  const cost = book.price({
    provider: "openai",
    requestedModel: "gpt-4o-mini",
    reading: reading("gpt-4o-mini-2024-07-18", { input: 600, cacheRead: 400, output: 500 }),
    at: Date.parse("2026-11-20T12:00:00Z"),
  })

  // 600 × 0.15/M = 0.00009, 400 × 0.075/M = 0.00003, 500 × 0.6/M = 0.0003
  expect(cost).toMatchObject({ status: "exact", inputCost: "0.00012", outputCost: "0.0003", totalCost: "0.00042" })
  expect(book.modelCount()).toBeGreaterThan(1600)
})
