import type { LogRecord } from "../../core/log-record.ts"
import { toAttributes } from "../otlp/attributes.ts"
import { METRICS, METRICS_ANSWER, TRACES, TRACES_ANSWER } from "../otlp/messages.ts"
import type { Message } from "../otlp/wire.ts"
import { createMeasures } from "./measures.ts"
import { type MetricStats, startMetricLoop } from "./metric-loop.ts"
import { createSender, type Fetch, type Protocol, type SenderTiming, type Sent, type Target } from "./sender.ts"
import { type Span, type SpanContext, toSpan } from "./span.ts"
import { createSpanQueue, type SpanStats } from "./span-queue.ts"

export interface ExporterOptions {
  /** The address of the receiver, without `/v1/traces`. */
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  readonly protocol: Protocol
  readonly traces: boolean
  readonly metrics: boolean
  readonly metricIntervalMs: number
  /** The attributes of the resource, such as `service.name`. */
  readonly resource: Readonly<Record<string, string>>
  /** The metadata names whose values spans have. */
  readonly metadata: readonly string[]
  readonly version: string
  /** Milliseconds since the epoch. */
  now(): number
  log(line: string): void
  readonly fetch: Fetch
  readonly timing?: Partial<typeof TIMING & SenderTiming>
}

/** The counts of the telemetry of this process. */
export type ExportStats = SpanStats & MetricStats

export interface Exporter {
  /** Takes a request. Never throws and never waits. */
  add(record: LogRecord, context: Omit<SpanContext, "metadata">): void
  /** Takes what became known of a request later. It has no span, because nobody knows when it ran. */
  addLate(record: LogRecord): void
  stats(): ExportStats
  /** Sends what waits, for `deadlineMs` at most. What is left then is dropped and counted. */
  close(deadlineMs: number): Promise<void>
}

const TIMING = { batchDelayMs: 5000, logEveryMs: 60_000 }

/** Creates the exporter of one process: a bounded queue of spans, the metrics, and the timers that send both. */
export function createExporter(options: ExporterOptions): Exporter {
  const times = { ...TIMING, ...options.timing }
  const stopping = new AbortController()
  const send = createSending(options, stopping.signal, times.logEveryMs)
  const measures = options.metrics ? createMeasures(options.now()) : undefined
  const spans = createSpanQueue(send.spans, times.batchDelayMs)
  const loop =
    measures &&
    startMetricLoop({ measures, intervalMs: options.metricIntervalMs, now: options.now, send: send.metrics })
  let closing: Promise<unknown> | undefined
  return {
    add(record, context) {
      measures?.add(record)
      const span = options.traces ? toSpan(record, { ...context, metadata: options.metadata }) : undefined
      if (span !== undefined) spans.add(span)
    },
    addLate: (record) => measures?.addLate(record),
    stats: () => ({ ...spans.stats(), ...(loop?.stats() ?? { metricExports: 0, failedMetricExports: 0 }) }),
    async close(deadlineMs) {
      const giveUp = setTimeout(() => stopping.abort(), deadlineMs)
      closing ??= Promise.all([spans.finish(), loop?.finish()])
      await closing.finally(() => clearTimeout(giveUp))
    },
  }
}

/** Creates the functions that send spans and metrics, and report failures. A receiver that is away is reported now and then. */
function createSending(options: ExporterOptions, signal: AbortSignal, logEveryMs: number) {
  const { endpoint, headers, protocol, version, log, now } = options
  const send = createSender({ fetch: options.fetch, timing: options.timing })
  const scope = { name: "majordomo-gateway", version }
  const resource = { attributes: toAttributes(options.resource) }
  const traces: Target = { url: `${endpoint}/v1/traces`, headers, protocol, request: TRACES, answer: TRACES_ANSWER }
  const metrics: Target = { url: `${endpoint}/v1/metrics`, headers, protocol, request: METRICS, answer: METRICS_ANSWER }
  let loggedAt = Number.NEGATIVE_INFINITY

  async function reporting(what: string, sending: Promise<Sent>): Promise<Sent> {
    const sent = await sending
    if (sent.message !== undefined && now() - loggedAt >= logEveryMs) {
      loggedAt = now()
      log(`telemetry: ${what} were not exported: ${sent.message}. Requests are not affected`)
    }
    return sent
  }

  return {
    spans: (spans: readonly Span[]) =>
      reporting("spans", send(traces, { resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] }, signal)),
    metrics: (values: readonly Message[]) => {
      const message = { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: values }] }] }
      return reporting("metrics", send(metrics, message, signal))
    },
  }
}
