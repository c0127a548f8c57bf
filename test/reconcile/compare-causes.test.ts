import { describe, expect, test } from "vitest"
import { parseDecimal } from "../../src/core/decimal.ts"
import {
  type Bill,
  type BillLine,
  type Cause,
  findOwnRate,
  type Reconciliation,
} from "../../src/core/reconciliation.ts"
import { addUpCauses, compareBills } from "../../src/reconcile/compare/index.ts"
import { billOf, OPTIONS, type Recorded, rateOf, record, type Truth, toBill, toSide } from "./_traffic.ts"

const DAY = "2026-11-03"
const ours: Truth = {
  ...{ day: DAY, model: "gpt-5.5-2026-04-23", tier: "standard", key: "key_ours", requests: 120 },
  tokens: { input: 400_000, cache_read: 80_000, output: 60_000 },
}
const sideOf = (...truths: readonly Truth[]) => {
  const side: Recorded = { lines: [], requests: [] }
  for (const truth of truths) record(side, truth)
  return side
}
const compare = (lines: readonly BillLine[], side: Recorded, more: Partial<Bill> = {}) => {
  const result = compareBills(toBill(lines, more), toSide(side), OPTIONS)
  expectSums(result)
  return result
}
const short = ({ causes }: Reconciliation) =>
  causes.map(({ cause, amount, model, bucket, detail }: Cause) => ({ cause, amount, model, bucket, detail }))

function expectSums({ billed, recorded, causes, days }: Reconciliation) {
  const sum = (list: readonly Cause[]) => list.reduce((total, { amount }) => total + parseDecimal(amount), 0n)
  expect(parseDecimal(billed) - parseDecimal(recorded)).toBe(sum(causes))
  for (const day of days) expect(parseDecimal(day.billed) - parseDecimal(day.recorded)).toBe(sum(day.causes))
}

describe("a bill that is equal to the records", () => {
  test("has no causes", () => {
    expect(compare(billOf(ours), sideOf(ours))).toMatchObject({ billed: "1.11", recorded: "1.11", causes: [] })
  })

  test("is equal under names that differ in the date's form, the path or the missing date", () => {
    const truth = { ...ours, model: "gpt-4o-2024-08-06" }
    const named = (name: string) => billOf(truth).map((line) => ({ ...line, model: name }))
    for (const name of ["gpt-4o-2024-08-06", "GPT-4o-20240806", "models/gpt-4o@20240806", "gpt-4o"])
      expect(compare(named(name), sideOf(truth)).causes, name).toEqual([])
  })
})

describe("each cause", () => {
  test("outside: a key that the gateway does not know", () => {
    const evals = {
      ...ours,
      key: "key_4f2a",
      model: "gpt-5-mini-2025-08-07",
      requests: 312,
      tokens: { input: 1_000_000 },
    }
    const lines = [...billOf(ours), ...billOf(evals).map((line) => ({ ...line, project: "evals" }))]
    const result = compare(lines, sideOf(ours))
    expect(short(result)).toMatchInlineSnapshot(`
      [
        {
          "amount": "0.25",
          "bucket": "input",
          "cause": "outside",
          "detail": "The bill has 312 requests (1,000,000 input tokens) of gpt-5-mini-2025-08-07 under key key_4f2a in project "evals" that did not pass through the gateway.",
          "model": "gpt-5-mini-2025-08-07",
        },
      ]
    `)
    expect(result.causes[0]).toMatchObject({ key: "key_4f2a", project: "evals", requests: 312, days: [DAY] })
  })

  test("outside on several days: the sentence says the sums of all days, also of days that were stored as JSON", () => {
    const evals = { ...ours, key: "key_4f2a", requests: 100, tokens: { input: 1000 } }
    const lines = [ours, evals, { ...evals, day: "2026-11-04" }].flatMap((truth) => billOf(truth))
    const { causes, days } = compare(lines, sideOf(ours))
    expect(causes).toMatchObject([
      {
        detail:
          "The bill has 200 requests (2,000 input tokens) of gpt-5.5-2026-04-23 under key key_4f2a that did not pass through the gateway.",
        days: [DAY, "2026-11-04"],
      },
    ])
    const stored = JSON.parse(JSON.stringify(days.flatMap((day) => day.causes))) as Cause[]
    expect(addUpCauses(stored, { provider: "openai" })).toEqual(causes)
  })

  test("unmetered: streams that were cut off", () => {
    const side = sideOf(ours)
    record(side, { ...ours, requests: 2, tokens: {} }, { kind: "cut_off" })
    const more = { ...ours, requests: 122, tokens: { ...ours.tokens, input: 401_000 } }
    expect(short(compare(billOf(more), side))).toMatchInlineSnapshot(`
      [
        {
          "amount": "0.00125",
          "bucket": "input",
          "cause": "unmetered",
          "detail": "The provider billed 1,000 input tokens of gpt-5.5-2026-04-23 for 2 requests that ended before the provider reported the usage.",
          "model": "gpt-5.5-2026-04-23",
        },
      ]
    `)
  })

  test("estimated: by how much the estimate was off", () => {
    const side = sideOf(ours)
    record(side, { ...ours, requests: 3, tokens: { output: 900 } }, { kind: "estimated" })
    const more = { ...ours, requests: 123, tokens: { ...ours.tokens, output: 61_200 } }
    expect(short(compare(billOf(more), side))).toMatchInlineSnapshot(`
      [
        {
          "amount": "0.003",
          "bucket": "output",
          "cause": "estimated",
          "detail": "The usage of 3 requests of gpt-5.5-2026-04-23 was estimated, and the bill has 300 output tokens more.",
          "model": "gpt-5.5-2026-04-23",
        },
      ]
    `)
  })

  test("tokens: the same requests with other counts", () => {
    const more = { ...ours, tokens: { ...ours.tokens, output: 60_512 } }
    expect(short(compare(billOf(more), sideOf(ours)))).toMatchInlineSnapshot(`
      [
        {
          "amount": "0.00512",
          "bucket": "output",
          "cause": "tokens",
          "detail": "The bill has 512 output tokens more for the same requests of gpt-5.5-2026-04-23.",
          "model": "gpt-5.5-2026-04-23",
        },
      ]
    `)
  })

  test("price: the rate that the bill implies, and the setting that corrects it", () => {
    const rate: typeof rateOf = (model, tier, bucket) =>
      bucket === "cache_read" ? "0.25" : rateOf(model, tier, bucket)
    const result = compare(billOf(ours, rate), sideOf(ours))
    expect(short(result)).toMatchInlineSnapshot(`
      [
        {
          "amount": "0.01",
          "bucket": "cache_read",
          "cause": "price",
          "detail": "gpt-5.5-2026-04-23 cached input is billed at $0.25 per million tokens, and was priced at $0.125 (llm-prices.com, 2026-10-30).",
          "model": "gpt-5.5-2026-04-23",
        },
      ]
    `)
    expect(result.causes[0]).toMatchObject({
      rate: { billed: "0.25", recorded: "0.125", source: "llm-prices.com", date: "2026-10-30" },
    })
    expect(result.causes[0]?.advice).toMatchInlineSnapshot(
      `"If the billed rate is right, set \`pricing: { overrides: { "openai/gpt-5.5-2026-04-23": [{ cache_read: 0.25, from: 2026-11-03 }] } }\`, then run \`majordomo-gateway pricing reprice --model gpt-5.5-2026-04-23 --since 2026-11-03\`."`,
    )
  })

  test("discount: between list price and amount, and credits and taxes", () => {
    const lines = billOf(ours).map((line) => ({ ...line, listCost: line.cost, cost: half(line.cost!) }))
    const credit = {
      ...lines[0]!,
      model: undefined,
      bucket: "credit",
      quantity: undefined,
      listCost: undefined,
    } as const
    const result = compare([...lines, { ...credit, cost: "-0.1", item: "promotion" }], sideOf(ours))
    expect(short(result)).toMatchInlineSnapshot(`
      [
        {
          "amount": "-0.555",
          "bucket": undefined,
          "cause": "discount",
          "detail": "The provider charges less than its list price for gpt-5.5-2026-04-23.",
          "model": "gpt-5.5-2026-04-23",
        },
        {
          "amount": "-0.1",
          "bucket": "credit",
          "cause": "discount",
          "detail": "The bill contains credits: promotion.",
          "model": undefined,
        },
      ]
    `)
  })

  test("fees: what is billed outside tokens", () => {
    const fee = {
      ...billOf(ours)[0]!,
      model: undefined,
      bucket: "tool",
      quantity: "30",
      cost: "0.3",
      item: "web search",
    } as const
    expect(short(compare([...billOf(ours), fee], sideOf(ours)))).toMatchInlineSnapshot(`
      [
        {
          "amount": "0.3",
          "bucket": "tool",
          "cause": "fees",
          "detail": "The bill has higher fees for tools than the gateway recorded: web search.",
          "model": undefined,
        },
      ]
    `)
  })

  test("unexplained: records that the bill does not have, and costs that nobody understands", () => {
    const odd = {
      ...billOf(ours)[0]!,
      model: undefined,
      bucket: "other",
      quantity: undefined,
      cost: "0.7",
      item: "misc",
    } as const
    expect(short(compare([...billOf(ours), odd], sideOf(ours, { ...ours, day: "2026-11-05" })))).toMatchInlineSnapshot(`
      [
        {
          "amount": "-1.11",
          "bucket": undefined,
          "cause": "unexplained",
          "detail": "The gateway recorded 540,000 tokens of gpt-5.5-2026-04-23 under key alias-ours that the bill does not have.",
          "model": "gpt-5.5-2026-04-23",
        },
        {
          "amount": "0.7",
          "bucket": "other",
          "cause": "unexplained",
          "detail": "The bill has a cost that the gateway cannot assign to a model: misc.",
          "model": undefined,
        },
      ]
    `)
  })
})

function half(text: string): string {
  return String(Number(text) / 2)
}

test("an own price can correct rates of tokens that hold for all tiers, and no price per piece", () => {
  const rate = { per: "million" } as const
  expect(findOwnRate({ bucket: "audio_input", rate })).toBe("input_audio")
  expect(findOwnRate({ bucket: "audio_input", rate, tier: "batch" })).toBeUndefined()
  expect(findOwnRate({ bucket: "audio_input", rate: { per: "one" } })).toBeUndefined()
  expect(findOwnRate({ bucket: "tool", rate })).toBeUndefined()
})
