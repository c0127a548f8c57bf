import type { ServerResponse } from "node:http"
import { afterEach, expect, test, vi } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import { createExporter, type Exporter, type ExporterOptions } from "../../src/telemetry/export/exporter.ts"
import { aRecord, KEY_ID } from "../database/_ledger.ts"
import { startOtlpReceiver } from "../support/otlp-receiver.ts"

const CONTEXT: Parameters<Exporter["add"]>[1] = {
  traceparent: undefined,
  keyName: "ci",
  baseUrl: "https://api.openai.com/v1",
}
const WAIT = { timeout: 60_000, interval: 5 }
const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start(changes: Partial<ExporterOptions> = {}) {
  const receiver = await startOtlpReceiver()
  closers.push(receiver.close)
  const logged: string[] = []
  const exporter = createExporter({
    endpoint: receiver.origin,
    headers: { "x-api-key": "secret-of-the-receiver" },
    protocol: "http/protobuf",
    traces: true,
    metrics: true,
    metricIntervalMs: 3_600_000,
    resource: { "service.name": "majordomo-gateway" },
    metadata: ["Feature"],
    version: "1.2.3",
    now: Date.now,
    log: (line) => void logged.push(line),
    fetch,
    ...changes,
    timing: { batchDelayMs: 1, firstPauseMs: 1, maxPauseMs: 2, ...changes.timing },
  })
  closers.push(() => exporter.close(0))
  return { receiver, exporter, logged }
}

async function exportOne(record: LogRecord, context: Partial<typeof CONTEXT> = {}) {
  const { receiver, exporter } = await start()
  exporter.add(record, { ...CONTEXT, ...context })
  await exporter.close(60_000)
  return receiver.spans()[0]
}

test.each(["http/protobuf", "http/json"] as const)(
  "a span in %s has the conventional attributes of its row, its times, its cost and its key, and no content",
  async (protocol) => {
    const { receiver, exporter } = await start({ protocol })
    const record = aRecord({
      id: "0197a000-1111-7abc-8def-0123456789ab",
      raw_metadata: { "Session-Id": "session-1", Feature: "chat", "User-Id": "anna" },
      error_message: undefined,
      request_body: "SECRET PROMPT",
      response_body: "SECRET ANSWER",
      total_cost: "0.00042",
    })
    exporter.add(record, CONTEXT)
    await exporter.close(60_000)
    const [span] = receiver.spans()
    expect(span).toEqual({
      traceId: "0197a00011117abc8def0123456789ab",
      spanId: "8def0123456789ab",
      parentSpanId: "",
      name: "chat gpt-4o-mini",
      kind: 3,
      start: Date.parse(record.requested_at),
      end: Date.parse(record.responded_at),
      statusCode: undefined,
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.request.stream": record.streamed,
        "gen_ai.conversation.id": "session-1",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 500,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "server.address": "api.openai.com",
        "server.port": 443,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "majordomo.request.id": record.id,
        "majordomo.outcome": "complete",
        "majordomo.cost.usd": 0.00042,
        "majordomo.cost.status": "exact",
        "majordomo.billing": "api",
        "majordomo.usage.source": "reported",
        "majordomo.first_byte_ms": 398,
        "majordomo.key.id": KEY_ID,
        "majordomo.key.name": "ci",
        "majordomo.metadata.Feature": "chat",
      },
    })
    const sent = JSON.stringify(receiver.exports)
    for (const text of ["SECRET", "anna"]) expect(sent).not.toContain(text)
    expect(receiver.exports[0]?.headers["x-api-key"]).toBe("secret-of-the-receiver")
  },
)

test("a span of a stream says after how many seconds it began", async () => {
  const span = await exportOne(aRecord({ streamed: true, first_byte_ms: 398 }))
  expect(span?.attributes).toMatchObject({
    "gen_ai.request.stream": true,
    "gen_ai.response.time_to_first_chunk": 0.398,
  })
})

test("a piece of a batch is in the metrics of tokens and cost, and has neither a duration nor a span", async () => {
  const { receiver, exporter } = await start({ protocol: "http/protobuf" })
  exporter.addLate(aRecord({ request_path: "/v1/files/file-1/content", request_method: "GET", total_cost: "0.25" }))
  await exporter.close(60_000)
  expect(receiver.spans()).toEqual([])
  const metrics = receiver.metrics()
  expect(metrics["gen_ai.client.operation.duration"]).toBeUndefined()
  expect(metrics["majordomo.cost"]?.points).toMatchObject([
    { value: 0.25, attributes: { "gen_ai.operation.name": "batch" } },
  ])
  expect(metrics["gen_ai.client.token.usage"]?.points.map(({ sum }) => sum)).toEqual([1000, 500])
})

test("a span without a known cost has no cost, and one of a subscription has an API value instead", async () => {
  const unpriced = await exportOne(aRecord({ total_cost: undefined, cost_status: "unpriced" }))
  expect(unpriced?.attributes).not.toHaveProperty("majordomo.cost.usd")
  expect(unpriced?.attributes).toMatchObject({ "majordomo.cost.status": "unpriced" })
  const subscribed = await exportOne(aRecord({ billing: "subscription", total_cost: "0.5" }))
  expect(subscribed?.attributes).not.toHaveProperty("majordomo.cost.usd")
  expect(subscribed?.attributes).toMatchObject({ "majordomo.cost.api_value_usd": 0.5 })
})

test("a span joins the trace of the client, and follows its decision not to sample", async () => {
  const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
  const joined = await exportOne(aRecord(), { traceparent: `00-${trace}-00f067aa0ba902b7-01` })
  expect(joined).toMatchObject({ traceId: trace, parentSpanId: "00f067aa0ba902b7" })
  expect(await exportOne(aRecord(), { traceparent: `00-${trace}-00f067aa0ba902b7-00` })).toBeUndefined()
  const broken = await exportOne(aRecord(), { traceparent: "00-zz-zz-01" })
  expect(broken?.parentSpanId).toBe("")
})

test.each([
  [{ status_code: 429, outcome: "rejected" }, "429"],
  [{ status_code: 500 }, "500"],
  [{ outcome: "upstream_broke" }, "upstream_broke"],
  [{ outcome: "client_left" }, undefined],
] as const)("a span of %o has the error %s", async (changes, error) => {
  const span = await exportOne(aRecord(changes))
  expect(span?.attributes["error.type"]).toBe(error)
  expect(span?.statusCode).toBe(error === undefined ? undefined : 2)
})

test.each([
  ["/v1/messages", "chat"],
  ["/v1/responses", "chat"],
  ["/v1/embeddings", "embeddings"],
  ["/v1/completions", "text_completion"],
  ["/v1beta/models/gemini-2.5-pro:streamGenerateContent", "generate_content"],
  ["/model/us.anthropic.claude-sonnet-4-5/converse-stream", "chat"],
  ["/v1/images/generations", "image_generation"],
])("%s is the operation %s", async (request_path, operation) => {
  const span = await exportOne(aRecord({ request_path }))
  expect(span?.attributes["gen_ai.operation.name"]).toBe(operation)
})

test("a request that is no call of a model has a span that is named by its method", async () => {
  const span = await exportOne(
    aRecord({ request_method: "GET", request_path: "/v1/files", requested_model: undefined }),
  )
  expect(span?.name).toBe("GET")
})

test("metrics have the buckets of the conventions, and exact sums of costs by status", async () => {
  const { receiver, exporter } = await start()
  for (let i = 0; i < 10; i++) exporter.add(aRecord({ total_cost: "0.1", response_time_ms: 300 }), CONTEXT)
  exporter.add(
    aRecord({ status_code: 500, usage_source: "none", total_cost: undefined, response_time_ms: 100_000 }),
    CONTEXT,
  )
  exporter.add(aRecord({ billing: "subscription", total_cost: "7" }), CONTEXT)
  await exporter.close(60_000)
  const metrics = receiver.metrics()
  const durations = metrics["gen_ai.client.operation.duration"]!
  expect(durations.unit).toBe("s")
  const failed = durations.points.find(({ attributes }) => attributes["error.type"] === "500")!
  expect(failed.buckets).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
  expect(failed.bounds).toEqual([
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
  ])
  const input = metrics["gen_ai.client.token.usage"]!.points.find((p) => p.attributes["gen_ai.token.type"] === "input")!
  expect(input).toMatchObject({ count: 11, sum: 11_000 })
  expect(input.bounds?.at(-1)).toBe(67_108_864)
  expect(metrics["majordomo.cost"]!.points).toEqual([
    {
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "majordomo.cost.status": "exact",
      },
      value: 1,
    },
  ])
})

test("invented models beyond 2,000 series are one series", async () => {
  const { receiver, exporter } = await start({ traces: false })
  for (let i = 0; i < 2500; i++) exporter.add(aRecord({ requested_model: `m${i}`, total_cost: "1" }), CONTEXT)
  await exporter.close(60_000)
  const { points } = receiver.metrics()["majordomo.cost"]!
  expect(points).toHaveLength(2001)
  expect(points.at(-1)).toEqual({ attributes: { "otel.metric.overflow": true }, value: 500 })
})

const answerWith =
  (status: number, headers: Record<string, string> = {}, body = "") =>
  (response: ServerResponse) =>
    void response.writeHead(status, headers).end(body)

test.each([429, 502, 503, 504])("after %d a batch is sent again, until it is accepted", async (status) => {
  const { receiver, exporter } = await start({ metrics: false })
  receiver.next(answerWith(status, { "retry-after": "0" }), answerWith(status))
  exporter.add(aRecord(), CONTEXT)
  await vi.waitFor(() => expect(exporter.stats().exportedSpans).toBe(1), WAIT)
  expect(receiver.exports).toHaveLength(3)
})

test("other errors drop and count a batch, and the log has neither address nor headers", async () => {
  const { receiver, exporter, logged } = await start({ metrics: false })
  receiver.next(answerWith(400, {}, "secret-of-the-receiver is wrong"))
  exporter.add(aRecord(), CONTEXT)
  await vi.waitFor(() => expect(exporter.stats().droppedSpans.failed).toBe(1), WAIT)
  expect(logged).toEqual(["telemetry: spans were not exported: the receiver answered 400. Requests are not affected"])
})

test("spans that a receiver rejects while it accepts others are counted", async () => {
  const { receiver, exporter } = await start({ metrics: false, protocol: "http/json" })
  receiver.next(answerWith(200, { "content-type": "application/json" }, '{"partialSuccess":{"rejectedSpans":"2"}}'))
  for (let i = 0; i < 3; i++) exporter.add(aRecord(), CONTEXT)
  await vi.waitFor(() => expect(exporter.stats().exportedSpans).toBe(1), WAIT)
  expect(exporter.stats().droppedSpans).toEqual({ queue_full: 0, failed: 0, rejected: 2 })
})

test("a receiver that hangs costs a bounded queue: further spans are dropped and counted, and closing ends in time", async () => {
  const { receiver, exporter } = await start({ metrics: false, timing: { timeoutMs: 600_000 } })
  receiver.next(() => {})
  for (let i = 0; i < 5000; i++) exporter.add(aRecord(), CONTEXT)
  await vi.waitFor(() => expect(receiver.exports).toHaveLength(1), WAIT)
  for (let i = 0; i < 5000; i++) exporter.add(aRecord(), CONTEXT)
  expect(exporter.stats().waitingSpans).toBe(2048)
  await exporter.close(1)
  const { exportedSpans, droppedSpans, waitingSpans } = exporter.stats()
  expect(exportedSpans + droppedSpans.queue_full + droppedSpans.failed + waitingSpans).toBe(10_000)
  expect(waitingSpans).toBe(0)
})

test("a receiver that is away is tried again, and closing drops and counts what is left", async () => {
  const { receiver, exporter, logged } = await start({ metrics: false })
  await receiver.close()
  exporter.add(aRecord(), CONTEXT)
  const closing: Promise<void> = exporter.close(200)
  await closing
  expect(exporter.stats().droppedSpans.failed).toBe(1)
  expect(logged.join()).toContain("cannot be reached")
})

test("a redirect is not followed, because the headers would reach another host", async () => {
  const { receiver, exporter } = await start({ metrics: false })
  receiver.next(answerWith(307, { location: `${receiver.origin}/elsewhere` }))
  exporter.add(aRecord(), CONTEXT)
  await vi.waitFor(() => expect((exporter as Exporter).stats().droppedSpans.failed).toBe(1), WAIT)
  expect(receiver.exports).toHaveLength(1)
})
