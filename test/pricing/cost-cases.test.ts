import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { readRecordings } from "../conformance/recordings.ts"
import { readCostCases, readingsOf } from "./_cost-case.ts"

const cases = readCostCases("../shared/pricing/cost_cases.json")
const recordings = readRecordings("../shared/corpus") ?? []

/** The cases for which our cost differs from the expected one, with the reason. */
const EXCEPTIONS: Readonly<Record<string, { readonly total: string | undefined; readonly why: string }>> = {
  "oai-24-transcribe": {
    total: "0.0015325",
    why: "the case has 6 USD for audio input, from genai-prices; OpenAI's page of the model has 2.50: 37*2.5/1e6 + 144*10/1e6",
  },
}

/** The names of providers in a configuration, by their names in the cases. */
const NAMES: Readonly<Record<string, string>> = { google: "gemini" }

describe.skipIf(!cases)("the corpus of priced answers (skipped where it is not at hand)", () => {
  let book: PriceBook
  beforeAll(async () => {
    book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: () => 0, log: () => {} })
  })
  afterAll(() => book.close())

  test.each((cases ?? []).map((each) => [each.id, each] as const))("%s has the expected cost", (id, given) => {
    const costs = readingsOf(given, recordings).map((reading) =>
      book.price({
        provider: NAMES[given.provider] ?? given.provider,
        requestedModel: given.model,
        reading,
        at: Date.parse(`${given.price_date}T12:00:00Z`),
      }),
    )

    const exception = EXCEPTIONS[id]
    const expected = exception ? exception.total : (given.expected_cost_usd ?? undefined)
    const total = costs.every(({ totalCost }) => totalCost !== undefined)
      ? formatDecimal(costs.reduce((sum, { totalCost }) => sum + parseDecimal(totalCost!), 0n))
      : undefined
    expect(total, `${given.arithmetic}\n${JSON.stringify(costs)}`).toBe(expected)
  })
})
