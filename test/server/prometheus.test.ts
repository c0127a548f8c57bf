import { expect, it } from "vitest"
import { combine, createHistogram, type Metric, toText } from "../../src/server/prometheus.ts"

const gauge = (name: string, value: number, together?: "max"): Metric => ({
  name,
  type: "gauge",
  help: "A number.",
  samples: [{ value }],
  ...(together && { together }),
})

it("[SEC-12] [LOG-17] each metric has its help and type once, then its samples; labels and help are escaped", () => {
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

it("a histogram's buckets hold all values up to their bound, the last one all", () => {
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

it("of several processes numbers are added, except where the worst counts; what only one has stays", () => {
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
