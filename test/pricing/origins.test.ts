import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { NO_READING, NO_USAGE, type Reading } from "../../src/core/usage.ts"
import { ORIGINS } from "../../src/pricing/origins.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { listOwnRates, toOriginsText } from "../support/pricing/origins-page.ts"

describe("a rate of our own", () => {
  let book: PriceBook
  beforeAll(async () => {
    book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: () => 0, log: () => {} })
  })
  afterAll(() => book.close())

  const price = (provider: string, model: string, at: string, reading: Partial<Reading>) =>
    book.price({
      provider,
      requestedModel: model,
      at: Date.parse(at),
      reading: {
        ...NO_READING,
        model,
        parts: [{ model, usage: { ...NO_USAGE, input: 1000, output: 1000 }, contextTokens: 1000, role: "answer" }],
        source: "reported",
        ...reading,
      },
    })

  test("is listed in ORIGINS.md with its origin: run node scripts/origins-table.mjs", () => {
    const page = readFileSync(new URL("../../src/pricing/ORIGINS.md", import.meta.url), "utf8")
    expect(page).toContain(toOriginsText())
  })

  test("names the day of its source, or the row is estimated: every origin without a day is in the first table", () => {
    const text = toOriginsText()
    const undated = text.slice(0, text.indexOf("## Rates of our own"))
    const rates = listOwnRates().filter(({ origin }) => ORIGINS[origin].day === undefined)
    expect(rates.length).toBeGreaterThan(0)
    expect(rates.filter(({ what }) => !undated.includes(what))).toEqual([])
  })

  test.each([
    ["groq", "llama-3.3-70b-versatile", { tier: "batch" }],
    ["mistral", "mistral-large-latest", { tier: "batch" }],
    ["groq", "llama-3.3-70b-versatile", { tier: "flex" }],
    ["azure", "gpt-4o", { units: { codeContainers: 1 } }],
    ["openai", "gpt-4o-audio-preview-2024-10-01", audio()],
  ])("without a dated source makes a row of %s %s estimated, with the reason", (provider, model, reading) => {
    const cost = price(provider, model, "2026-11-20T12:00:00Z", reading)
    expect([cost.status, cost.price?.reason]).toEqual(["estimated", expect.stringContaining("no dated source")])
  })

  test.each([
    ["openai", "gpt-4o-audio-preview", audio()],
    ["openai", "babbage-002", {}],
    ["openai", "gpt-4o", { tier: "priority" }],
    ["azure", "gpt-4o", { tier: "batch" }],
    ["anthropic", "claude-opus-4-6", { speed: "fast", geo: "us" }],
    ["openai", "gpt-4o", { units: { codeContainers: 1 } }],
  ])("with a dated source leaves a row of %s %s exact", (provider, model, reading) => {
    const cost = price(provider, model, "2026-11-20T12:00:00Z", reading)
    expect([cost.status, cost.price?.reason]).toEqual(["exact", undefined])
  })

  test("applies to audio of a transcription exactly only since the day on which it is known", () => {
    const before = price("openai", "gpt-4o-transcribe", "2026-08-01T12:00:00Z", audio())
    const since = price("openai", "gpt-4o-transcribe", "2026-10-01T12:00:00Z", audio())
    expect([before.status, before.inputCost, since.status, since.inputCost]).toEqual([
      "estimated",
      "0.006",
      "exact",
      "0.0025",
    ])
  })

  test("of a priority tier does not apply to models that no source names", () => {
    const known = price("google", "gemini-3.5-flash", "2026-11-20T12:00:00Z", { tier: "priority" })
    expect(known.status).toBe("exact")
  })

  test.each([
    ["openai", "gpt-4o", "2024-09-01", "estimated", "0.005", "0.015"],
    ["openai", "gpt-4o", "2024-10-02", "exact", "0.0025", "0.01"],
    ["openai", "gpt-4o-2024-08-06", "2024-09-01", "exact", "0.0025", "0.01"],
    ["openai", "o3", "2025-06-01", "exact", "0.01", "0.04"],
    ["openai", "o3", "2025-06-10", "exact", "0.002", "0.008"],
    ["openai", "o1-mini", "2025-01-30", "estimated", "0.003", "0.012"],
    ["anthropic", "claude-3-5-haiku-20241022", "2024-11-20", "estimated", "0.001", "0.005"],
    ["anthropic", "claude-3-5-haiku-20241022", "2025-01-20", "exact", "0.0008", "0.004"],
    ["google", "gemini-1.5-pro-002", "2024-09-30", "estimated", "0.0035", "0.0105"],
    ["google", "gemini-1.5-flash", "2024-08-01", "estimated", "0.00035", "0.00105"],
    ["google", "gemini-1.5-flash", "2024-08-12", "exact", "0.000075", "0.0003"],
  ])("before a price cut: %s %s on %s is %s", (provider, model, day, status, input, output) => {
    const cost = price(provider, model, `${day}T12:00:00Z`, {})
    expect([cost.status, cost.inputCost, cost.outputCost], JSON.stringify(cost.price)).toEqual([status, input, output])
  })

  test("before the price cut of o3, cached input cost a quarter of input", () => {
    const usage = { ...NO_USAGE, cacheRead: 1000 }
    const parts = [{ model: "o3", usage, contextTokens: 1000, role: "answer" as const }]
    expect(price("openai", "o3", "2025-06-01T12:00:00Z", { parts }).totalCost).toBe("0.0025")
  })
})

function audio(): Partial<Reading> {
  const usage = { ...NO_USAGE, inputAudio: 1000 }
  return { parts: [{ model: undefined, usage, contextTokens: 1000, role: "answer" }] }
}
