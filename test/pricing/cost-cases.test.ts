import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { readRecordings } from "../conformance/recordings.ts"
import { readCostCases, readingOf } from "./_cost-case.ts"

const cases = readCostCases("../shared/pricing/cost_cases.json")
const recordings = readRecordings("../shared/corpus") ?? []

/** Cases whose expected number is not what we answer, each with the reason. */
const EXCEPTIONS: Readonly<Record<string, { readonly total: string | undefined; readonly why: string }>> = {}

/** How a case names its provider -> the provider's name in a configuration. */
const NAMES: Readonly<Record<string, string>> = { google: "gemini" }

describe.skipIf(!cases)("the corpus of priced answers (skipped where it is not at hand)", () => {
  let book: PriceBook
  beforeAll(async () => {
    book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: () => 0, log: () => {} })
  })
  afterAll(() => book.close())

  test.each((cases ?? []).map((each) => [each.id, each] as const))("%s costs what it says", (id, given) => {
    const cost = book.price({
      provider: NAMES[given.provider] ?? given.provider,
      requestedModel: given.model,
      reading: readingOf(given, recordings),
      at: Date.parse(`${given.price_date}T12:00:00Z`),
    })

    const exception = EXCEPTIONS[id]
    const expected = exception ? exception.total : (given.expected_cost_usd ?? undefined)
    expect(cost.totalCost, `${given.arithmetic}\n${JSON.stringify(cost)}`).toBe(expected)
  })
})
