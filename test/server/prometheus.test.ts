import { expect, it } from "vitest"
import { combine, counter, createHistogram, type Metric, toText } from "../../src/server/prometheus.ts"
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
  const histogram = createHistogram([1, 10])
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
