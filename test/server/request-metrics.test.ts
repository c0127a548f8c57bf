import { describe, expect, it } from "vitest"
import { CostTotal } from "../../src/core/cost-total.ts"
import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import { RequestMetrics } from "../../src/server/metrics/requests.ts"
import { toText } from "../../src/server/metrics/text.ts"
import { aRecord } from "../database/_ledger.ts"

function open(options: Partial<ConstructorParameters<typeof RequestMetrics>[0]> = {}) {
  const metrics = new RequestMetrics({ labels: {}, maxSeries: 2000, ...options })
  /** Returns the samples of a metric, without its name. */
  const read = (name: string) =>
    toText(metrics.collect())
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`))
      .map((line) => line.slice(name.length))
  return { metrics, read, add: (changes = {}, key = "app") => metrics.onRecord(aRecord(changes), key) }
}

const OPENAI = 'provider="openai",model="gpt-4o-mini-2024-07-18",key="app"'

describe("the metrics of requests", () => {
  it("count requests by provider, model and name of the key, with their status and outcome", () => {
    const { add, read } = open()
    add()
    add()
    add({ status_code: 429 })
    add({ status_code: 0, outcome: "client_left", model: "" }, "batch")
    expect(read("majordomo_requests_total")).toEqual([
      `{${OPENAI},status="200",outcome="complete"} 2`,
      `{${OPENAI},status="429",outcome="complete"} 1`,
      '{provider="openai",model="(none)",key="batch",status="other",outcome="client_left"} 1',
    ])
  })

  it("put each token into one kind, as the bill does", () => {
    const { add, read } = open()
    add({
      input_tokens: 1000,
      cached_tokens: 400,
      cache_creation_tokens: 300,
      cache_creation_1h_tokens: 100,
      output_tokens: 50,
      reasoning_tokens: 20,
    })
    add({ input_tokens: 0, cached_tokens: 0, output_tokens: 0 })
    expect(read("majordomo_tokens_total")).toEqual([
      `{${OPENAI},kind="input"} 300`,
      `{${OPENAI},kind="cache_read"} 400`,
      `{${OPENAI},kind="cache_write"} 200`,
      `{${OPENAI},kind="cache_write_1h"} 100`,
      `{${OPENAI},kind="output"} 30`,
      `{${OPENAI},kind="reasoning"} 20`,
    ])
  })

  it("count a response in the background without a price when it has ended, because a counter cannot take it back", () => {
    const { metrics, read } = open()
    const running = aRecord({ total_cost: undefined, cost_status: "unpriced", input_tokens: 0, output_tokens: 0 })
    for (let i = 0; i < 3; i++) metrics.onRecord(running, "app", true)
    expect(read("majordomo_requests_total")).toEqual([`{${OPENAI},status="200",outcome="complete"} 3`])
    expect(read("majordomo_unpriced_requests_total")).toEqual([])
    metrics.onLate({ record: aRecord({ total_cost: "0.5" }), isNew: false }, "app")
    metrics.onLate({ record: aRecord({ total_cost: undefined, cost_status: "unpriced" }), isNew: false }, "app")
    expect(read("majordomo_requests_total")).toEqual([`{${OPENAI},status="200",outcome="complete"} 3`])
    expect(read("majordomo_cost_usd_total")).toEqual([`{${OPENAI}} 0.5`])
    expect(read("majordomo_unpriced_requests_total")).toEqual([`{${OPENAI}} 1`])
  })

  it("add costs to the last digit, say what is estimated and what has no price, and keep subscriptions out", () => {
    const { add, read } = open()
    for (let i = 0; i < 10; i++) add({ total_cost: "0.1" })
    add({ total_cost: "0.000000000001", cost_status: "estimated" })
    add({ total_cost: undefined, cost_status: "unpriced" })
    add({ total_cost: "0", cost_status: "free" })
    add({ total_cost: "7.25", billing: "subscription" })
    expect(read("majordomo_cost_usd_total")).toEqual([`{${OPENAI}} 1.000000000001`])
    expect(read("majordomo_estimated_cost_usd_total")).toEqual([`{${OPENAI}} 0.000000000001`])
    expect(read("majordomo_subscription_value_usd_total")).toEqual([`{${OPENAI}} 7.25`])
    expect(read("majordomo_estimated_requests_total")).toEqual([`{${OPENAI}} 1`])
    expect(read("majordomo_unpriced_requests_total")).toEqual([`{${OPENAI}} 1`])
    expect(read("majordomo_subscription_requests_total")).toEqual([`{${OPENAI}} 1`])
  })

  it("take the time of complete answers, and the time to the first byte of all that began", () => {
    const { add, read } = open()
    add({ response_time_ms: 4000, first_byte_ms: 700 })
    add({ response_time_ms: 700_000, first_byte_ms: undefined })
    add({ response_time_ms: 100, first_byte_ms: 90, outcome: "client_left" })
    const labels = 'provider="openai",model="gpt-4o-mini-2024-07-18"'
    const duration = read("majordomo_request_duration_seconds_bucket")
    expect(duration).toContain(`{${labels},le="3"} 0`)
    expect(duration).toContain(`{${labels},le="5"} 1`)
    expect(duration).toContain(`{${labels},le="600"} 1`)
    expect(duration).toContain(`{${labels},le="+Inf"} 2`)
    expect(read("majordomo_request_duration_seconds_sum")).toEqual([`{${labels}} 704`])
    expect(read("majordomo_time_to_first_byte_seconds_count")).toEqual([`{${labels}} 2`])
  })

  it("have a label for each metadata name that is chosen, with (none) where a request has none", () => {
    const { add, read } = open({ labels: { team: "Team", user_id: "User-Id" } })
    add({ raw_metadata: { Team: 'a "b"\\\n', "User-Id": "u1", Other: "x" } })
    add({ raw_metadata: undefined })
    expect(read("majordomo_cost_usd_total")).toEqual([
      `{${OPENAI},team="a \\"b\\"\\\\\\n",user_id="u1"} 0.00042`,
      `{${OPENAI},team="(none)",user_id="(none)"} 0.00042`,
    ])
  })

  it("show the trace of a request only if it is one, and not another text of the client", () => {
    const { add, metrics } = open()
    add({ raw_metadata: { "Trace-Id": '"} 1\nevil' } })
    expect(toText(metrics.collect(), "openmetrics")).not.toContain("evil")
    add({ raw_metadata: { "Trace-Id": "0af7651916cd43dd8448eb211c80319c" } })
    expect(toText(metrics.collect(), "openmetrics")).toContain('# {trace_id="0af7651916cd43dd8448eb211c80319c"} 0.412 ')
  })
})

describe("the labels of requests are bounded", () => {
  const sumOf = (lines: readonly string[]) => lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)

  it("a label has at most a tenth of all series; further values are (other), and are counted", () => {
    const { add, read } = open({ labels: { user: "User" }, maxSeries: 100 })
    for (let i = 0; i < 50; i++) add({ raw_metadata: { User: `u${i}` } })
    const lines = read("majordomo_requests_total")
    expect(lines).toHaveLength(11)
    expect(lines.at(-1)).toBe(`{${OPENAI},user="(other)",status="200",outcome="complete"} 40`)
    expect(read("majordomo_label_overflows_total")).toEqual([
      '{label="model"} 0',
      '{label="key"} 0',
      '{label="user"} 40',
    ])
  })

  it("beyond all series, each label but the provider is (other), and no request is left out", () => {
    const { add, read } = open({ maxSeries: 100 })
    for (let model = 0; model < 20; model++)
      for (let key = 0; key < 20; key++)
        for (const provider of ["openai", "anthropic"]) add({ provider, model: `m${model}` }, `k${key}`)
    const lines = read("majordomo_cost_usd_total")
    expect(lines.length).toBeLessThanOrEqual(102)
    expect(lines.filter((line) => line.includes('model="(other)",key="(other)"'))).toHaveLength(2)
    expect(sumOf(read("majordomo_requests_total"))).toBe(800)
  })

  it("a long value is cut, and two that begin alike are one", () => {
    const { add, read } = open()
    for (const end of ["a", "b"]) add({}, "k".repeat(200) + end)
    expect(read("majordomo_requests_total")).toEqual([
      `{${OPENAI.replace("app", "k".repeat(128))},status="200",outcome="complete"} 2`,
    ])
  })

  it("there are at most 200 histograms of each kind", () => {
    const { add, read } = open({ maxSeries: 100_000 })
    for (let i = 0; i < 500; i++) add({ model: `m${i}` })
    expect(read("majordomo_request_duration_seconds_count").length).toBeLessThanOrEqual(201)
    expect(sumOf(read("majordomo_request_duration_seconds_count"))).toBe(500)
    expect(read("majordomo_requests_total")).toHaveLength(500)
  })
})

describe("CostTotal", () => {
  it("adds any costs exactly, small and large ones, with few and many digits", () => {
    const total = new CostTotal()
    let expected = 0n
    for (let i = 1; i <= 3000; i++) {
      for (const cost of [
        "0.1",
        `${i}.000000000001`,
        `${i % 7}.123456789012345678`,
        "123456789.5",
        "999.999999999999",
      ]) {
        total.add(cost)
        expected += parseDecimal(cost)
      }
      if (i % 100 === 0) expect(total.toDecimal()).toBe(formatDecimal(expected))
    }
  })

  it("rejects what is no plain decimal", () => {
    expect(() => new CostTotal().add("1e3")).toThrow(RangeError)
  })
})

describe("what becomes known of a request later", () => {
  it("counts it if it is new, and else only its usage and cost; it says nothing about times", () => {
    const { metrics, read } = open()
    const item = aRecord({ cost_status: "exact", total_cost: "0.5" })
    metrics.onLate({ record: item, isNew: true }, "app")
    metrics.onLate({ record: item, isNew: false }, "app")
    expect(read("majordomo_requests_total")).toEqual([`{${OPENAI},status="200",outcome="complete"} 1`])
    expect(read("majordomo_cost_usd_total")).toEqual([`{${OPENAI}} 1`])
    expect(toText(metrics.collect())).toContain("majordomo_request_duration_seconds_count{")
    expect(toText(metrics.collect())).not.toMatch(/majordomo_request_duration_seconds_count\{.*\} [1-9]/)
  })
})
