import { expect, it } from "vitest"
import { Histogram } from "../../src/server/metrics/histogram.ts"
import { chooseFormat, toText } from "../../src/server/metrics/text.ts"
import { createZeroStart } from "../../src/server/metrics/zero-start.ts"
import { combine, counter, type Metric } from "../../src/server/prometheus.ts"
import { createTotals } from "../../src/server/workers/totals.ts"

const gauge = (name: string, value: number, together?: "max"): Metric => ({
  name,
  type: "gauge",
  help: "A number.",
  samples: [{ value }],
  ...(together && { together }),
})

it("[SEC-12] [LOG-17] each metric has its help and type once, followed by its samples; labels and help are escaped", () => {
  const metric: Metric = {
    name: "requests_total",
    type: "counter",
    help: "Two\nlines \\ one.",
    samples: [{ labels: { provider: 'a"b\\c\nd', status: "200" }, value: 3 }],
  }
  expect(toText([metric])).toBe(
    '# HELP requests_total Two\\nlines \\\\ one.\n# TYPE requests_total counter\nrequests_total{provider="a\\"b\\\\c\\nd",status="200"} 3\n',
  )
})

it("each bucket of a histogram counts the values up to its bound, and the last bucket counts all values", () => {
  const histogram = new Histogram([1, 10])
  for (const value of [1, 5, 20]) histogram.observe(value)
  const metric: Metric = { name: "rows", type: "histogram", help: "Rows.", samples: histogram.samples() }
  expect(toText([metric]).split("\n").slice(2, -1)).toEqual([
    'rows_bucket{le="1"} 1',
    'rows_bucket{le="10"} 2',
    'rows_bucket{le="+Inf"} 3',
    "rows_sum 26",
    "rows_count 3",
  ])
})

it("the values of several processes are added, or their maximum is taken; a metric that only one process has is kept", () => {
  const combined = combine([
    [gauge("open", 2), gauge("lag", 5, "max")],
    [gauge("open", 3), gauge("lag", 4, "max"), gauge("one", 1)],
  ])
  expect(combined.map(({ name, samples }) => [name, samples[0]?.value])).toEqual([
    ["open", 5],
    ["lag", 5],
    ["one", 1],
  ])
})

it("no counter of several processes goes backwards while one is replaced; a lifelong one is then reported by another", () => {
  const totals = createTotals()
  const lifelong = (value: number): Metric => ({ ...counter("rows_total", "Rows.", value), isLifelong: true })
  const values = (own: readonly Metric[]) => totals.sum(own).map(({ samples }) => samples[0]?.value)
  totals.report(1, [lifelong(10), counter("requests_total", "Requests.", 5), gauge("open", 2)])
  expect(values([lifelong(1)])).toEqual([11, 5, 2])
  totals.end(1)
  expect(values([lifelong(1)])).toEqual([11, 5])
  totals.report(2, [counter("requests_total", "Requests.", 1), gauge("open", 1)])
  expect(values([lifelong(12)])).toEqual([12, 6, 1])
})

it("amounts of money of several processes are added exactly, and printed as they are", () => {
  const cost = (decimal: string): Metric => ({
    name: "cost_usd_total",
    type: "counter",
    help: "Cost.",
    samples: [{ value: Number(decimal), decimal }],
  })
  const totals = createTotals()
  totals.report(1, [cost("0.1")])
  totals.report(2, [cost("0.2")])
  expect(toText(totals.sum([])).split("\n")[2]).toBe("cost_usd_total 0.3")
  totals.end(1)
  totals.report(2, [cost("0.200000000001")])
  expect(toText(totals.sum([])).split("\n")[2]).toBe("cost_usd_total 0.300000000001")
})

it("OpenMetrics is for clients that name it: families without _total, units, examples of buckets, and an end", () => {
  expect(chooseFormat("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")).toBe("openmetrics")
  for (const accept of [null, "*/*", "text/plain", "application/openmetrics-text;q=0"])
    expect(chooseFormat(accept), String(accept)).toBe("text")
  const histogram = new Histogram([1])
  histogram.observe(0.5, "0af7651916cd43dd8448eb211c80319c")
  const metrics: Metric[] = [
    { ...counter("cost_usd_total", 'The "cost".', 1) },
    { name: "time_seconds", type: "histogram", help: "Time.", samples: histogram.samples() },
  ]
  const at = /trace_id="0af7651916cd43dd8448eb211c80319c"} 0.5 ([\d.]+)\n/.exec(toText(metrics, "openmetrics"))?.[1]
  expect(Number(at)).toBeGreaterThan(1e9)
  expect(toText(metrics, "openmetrics").replace(at!, "NOW")).toBe(`# HELP cost_usd The \\"cost\\".
# TYPE cost_usd counter
# UNIT cost_usd usd
cost_usd_total 1
# HELP time_seconds Time.
# TYPE time_seconds histogram
# UNIT time_seconds seconds
time_seconds_bucket{le="1"} 1 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 0.5 NOW
time_seconds_bucket{le="+Inf"} 1
time_seconds_sum 0.5
time_seconds_count 1
# EOF
`)
  expect(toText(metrics)).not.toMatch(/trace_id|UNIT|EOF/)
})

it("Prometheus gets a series of requests as 0 before its first value, so that no increase is missed", () => {
  const cost = (decimal: string, ...models: string[]): Metric => ({
    name: "cost_usd_total",
    type: "counter",
    help: "Cost.",
    samples: models.map((model) => ({ labels: { model }, value: Number(decimal), decimal })),
    startsAtZero: true,
  })
  const zeroStart = createZeroStart()
  const scrape = (metric: Metric) =>
    toText(zeroStart([metric]))
      .split("\n")
      .slice(2, -1)
  expect(scrape(cost("0.5", "a"))).toEqual(['cost_usd_total{model="a"} 0'])
  expect(scrape(cost("0.5", "a", "b"))).toEqual(['cost_usd_total{model="a"} 0.5', 'cost_usd_total{model="b"} 0'])
  expect(scrape(cost("0.7", "a", "b"))).toEqual(['cost_usd_total{model="a"} 0.7', 'cost_usd_total{model="b"} 0.7'])
  expect(scrape(counter("rows_total", "Rows.", 7))).toEqual(["rows_total 7"])
})
