import type { LogRecord } from "../../core/log-record.ts"
import type { LateRow } from "../../database/ledger/late.ts"
import type { Metric, Sample } from "../prometheus.ts"
import { Histogram } from "./histogram.ts"
import { RequestSums, TOKEN_KINDS } from "./request-sums.ts"
import { SeriesSet } from "./series.ts"

/** In seconds: answers of LLMs take from a tenth of a second to ten minutes. */
const BOUNDS = [0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 300, 600]
/** A histogram has 19 samples, so there are fewer of them than of other series. */
const MAX_HISTOGRAMS = 200
const NONE = "(none)"
/** A trace by https://www.w3.org/TR/trace-context/. A client can send any other text as its trace. */
const TRACE_ID = /^[0-9a-f]{32}$/

export interface RequestMetricsOptions {
  /** The labels that metadata become, with the name of the metadata of each: `{ team: "Team" }`. */
  readonly labels: Readonly<Record<string, string>>
  /** How many sets of labels there are at most. */
  readonly maxSeries: number
}

interface Timing {
  readonly duration: Histogram
  readonly firstByte: Histogram
}

interface RequestSeries {
  readonly sums: RequestSums
  readonly timing: Timing
}

/** Counts the requests that have a row: their number, tokens, cost and time. It is on the path of each request. */
export class RequestMetrics {
  private readonly metadata: readonly string[]
  private readonly series: SeriesSet<RequestSeries>
  private readonly timings: SeriesSet<Timing>
  /** The values of the labels of the request that is being counted: one list for all requests. */
  private readonly values: string[] = []

  constructor({ labels, maxSeries }: RequestMetricsOptions) {
    this.metadata = Object.values(labels)
    this.timings = new SeriesSet({ names: ["provider", "model"], max: MAX_HISTOGRAMS, create: createTiming })
    this.series = new SeriesSet({
      names: ["provider", "model", "key", ...Object.keys(labels)],
      max: maxSeries,
      create: ([provider = "", model = ""]) => ({
        sums: new RequestSums(),
        timing: this.timings.find([provider, model]),
      }),
    })
  }

  /**
   * @param keyName the name of the API key; undefined: it has none
   * @param isRunning its work goes on in the background: what it costs comes by `onLate`, and a counter cannot take back that
   * it is unknown until then
   */
  onRecord(record: LogRecord, keyName: string | undefined, isRunning = false): void {
    const { raw_metadata: given, first_byte_ms: firstByteMs } = record
    const { sums, timing } = this.find(record, keyName)
    if (isRunning) sums.addRequest(record)
    else sums.add(record)
    const trace = given?.["Trace-Id"]
    const traceId = trace !== undefined && TRACE_ID.test(trace) ? trace : undefined
    // An interruption says nothing about how long the answer would have taken.
    if (record.outcome === "complete") timing.duration.observe(record.response_time_ms / 1000, traceId)
    if (firstByteMs !== undefined) timing.firstByte.observe(firstByteMs / 1000, traceId)
  }

  /** Counts what became known of a request later: it says nothing about times. */
  onLate({ record, isNew }: LateRow, keyName: string | undefined): void {
    const { sums } = this.find(record, keyName)
    if (isNew) sums.add(record)
    else sums.addUsage(record)
  }

  private find({ provider, model, raw_metadata: given }: LogRecord, keyName: string | undefined): RequestSeries {
    const { values, metadata } = this
    values[0] = provider
    values[1] = model || NONE
    values[2] = keyName || NONE
    for (let i = 0; i < metadata.length; i++) values[3 + i] = given?.[metadata[i]!] || NONE
    return this.series.find(values)
  }

  collect(): Metric[] {
    const series = this.series.list()
    const timings = this.timings.list()
    const duration = timings.flatMap(({ text, data }) => data.duration.samples(text))
    const firstByte = timings.flatMap(({ text, data }) => data.firstByte.samples(text))
    const overflows = Object.entries(this.series.overflows)
    return [
      ...COUNTERS.map(({ name, help, toSamples }): Metric => {
        const samples = series.flatMap(({ text, data }) => toSamples(data.sums, text))
        return { name, type: "counter", help, samples, startsAtZero: true }
      }),
      { ...DURATION, type: "histogram", samples: duration, startsAtZero: true },
      { ...FIRST_BYTE, type: "histogram", samples: firstByte, startsAtZero: true },
      {
        name: "majordomo_label_overflows_total",
        type: "counter",
        help: "Requests that were counted under (other) as the value of a label, because telemetry.max_series left no room.",
        samples: overflows.map(([label, value]) => ({ labels: { label }, value })),
      },
    ]
  }
}

function createTiming(): Timing {
  return { duration: new Histogram(BOUNDS), firstByte: new Histogram(BOUNDS) }
}

const DURATION = {
  name: "majordomo_request_duration_seconds",
  help: "Time from the arrival of a request to the end of its answer, for complete answers, those with an error status included.",
}

const FIRST_BYTE = {
  name: "majordomo_time_to_first_byte_seconds",
  help: "Time from the arrival of a request to the head of the provider's answer.",
}

interface RequestCounter {
  readonly name: string
  readonly help: string
  /** @param labels as text */
  toSamples(sums: RequestSums, labels: string): Sample[]
}

/** Counters of all requests. A sample that is 0 is left out where most requests do not count for it. */
const COUNTERS: readonly RequestCounter[] = [
  {
    name: "majordomo_requests_total",
    help: "Requests that have a row, by the status that the client got and by the outcome, as in reports.",
    toSamples: (sums, labels) =>
      [...sums.requests()].map(({ status, outcome, count }) => ({
        labels: `${labels},status="${status}",outcome="${outcome}"`,
        value: count,
      })),
  },
  {
    name: "majordomo_cost_usd_total",
    help: "What the provider bills for the requests, in USD. Requests without a known price are not in it; see majordomo_unpriced_requests_total.",
    toSamples: ({ cost }, labels) => [toMoney(cost.toDecimal(), labels)],
  },
  {
    name: "majordomo_estimated_cost_usd_total",
    help: "The part of majordomo_cost_usd_total that is estimated.",
    toSamples: ({ estimatedCost, estimated }, labels) =>
      estimated === 0 ? [] : [toMoney(estimatedCost.toDecimal(), labels)],
  },
  {
    name: "majordomo_subscription_value_usd_total",
    help: "What the API would have charged for requests that a subscription pays for, in USD. It is no cost.",
    toSamples: ({ subscriptionValue, subscription }, labels) =>
      subscription === 0 ? [] : [toMoney(subscriptionValue.toDecimal(), labels)],
  },
  {
    name: "majordomo_tokens_total",
    help: "Tokens by kind. Each token is of one kind: input is what no cache held, output is without reasoning.",
    toSamples: ({ tokens }, labels) =>
      TOKEN_KINDS.flatMap((kind, i) =>
        tokens[i] === 0 ? [] : [{ labels: `${labels},kind="${kind}"`, value: tokens[i]! }],
      ),
  },
  toCount("majordomo_estimated_requests_total", "Requests whose cost is estimated.", ({ estimated }) => estimated),
  toCount(
    "majordomo_unpriced_requests_total",
    "Requests whose price is not known. Work in the background counts when it has ended.",
    ({ unpriced }) => unpriced,
  ),
  toCount(
    "majordomo_subscription_requests_total",
    "Requests that a subscription pays for.",
    ({ subscription }) => subscription,
  ),
]

function toCount(name: string, help: string, count: (sums: RequestSums) => number): RequestCounter {
  const toSamples = (sums: RequestSums, labels: string) => (count(sums) === 0 ? [] : [{ labels, value: count(sums) }])
  return { name, help, toSamples }
}

function toMoney(decimal: string, labels: string): Sample {
  return { labels, value: Number(decimal), decimal }
}
