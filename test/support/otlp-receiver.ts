import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import { gunzipSync } from "node:zlib"
import protobuf from "protobufjs"

/** What an OTLP receiver got, decoded by another library than the gateway's, from the definitions of opentelemetry-proto. */
export interface ReceivedExport {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: the message as it is in OTLP's JSON
  readonly message: any
}

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly kind: number
  readonly start: number
  readonly end: number
  readonly statusCode: number | undefined
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface OtlpReceiver {
  readonly origin: string
  /** All exports, also those that it answered with an error. */
  readonly exports: readonly ReceivedExport[]
  /** The spans of the exports that it accepted. */
  spans(): readonly ReceivedSpan[]
  /** The newest metrics, by name. */
  metrics(): Readonly<Record<string, { readonly unit: string; readonly points: readonly ReceivedPoint[] }>>
  /** Answers the next exports, one function each. Default: 200. */
  next(...answers: readonly ((response: ServerResponse) => void)[]): void
  close(): Promise<void>
}

export interface ReceivedPoint {
  readonly attributes: Readonly<Record<string, unknown>>
  readonly count?: number
  readonly sum?: number
  readonly buckets?: readonly number[]
  readonly bounds?: readonly number[]
  readonly value?: number
}

/** Starts an OTLP receiver on the loopback interface. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const exports: ReceivedExport[] = []
  const accepted: ReceivedExport[] = []
  const answers: ((response: ServerResponse) => void)[] = []
  const server = createServer(async (request, response) => {
    const body = await buffer(request)
    const bytes = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body
    const isJson = request.headers["content-type"] === "application/json"
    const message = isJson ? JSON.parse(bytes.toString()) : decodeProtobuf(request.url ?? "", bytes)
    const received = { path: request.url ?? "", headers: request.headers, message }
    exports.push(received)
    const answer = answers.shift()
    if (answer) return answer(response)
    accepted.push(received)
    response.setHeader("content-type", request.headers["content-type"] ?? "").end(isJson ? "{}" : "")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exports,
    spans: () => accepted.filter(({ path }) => path === "/v1/traces").flatMap(({ message }) => toSpans(message)),
    metrics: () => toMetrics(accepted.findLast(({ path }) => path === "/v1/metrics")?.message),
    next: (...next) => void answers.push(...next),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The definitions, without what the gateway never sends. */
const PROTO = `syntax = "proto3"; package otlp;
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource { repeated KeyValue attributes = 1; }
message Scope { string name = 1; string version = 2; }
message Status { string message = 2; int32 code = 3; }
message Span { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; Status status = 15; fixed32 flags = 16; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Traces { repeated ResourceSpans resource_spans = 1; }
message NumberDataPoint { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; double as_double = 4; repeated KeyValue attributes = 7; }
message HistogramDataPoint { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; double sum = 5; repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7; repeated KeyValue attributes = 9; }
message Sum { repeated NumberDataPoint data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
message Histogram { repeated HistogramDataPoint data_points = 1; int32 aggregation_temporality = 2; }
message Metric { string name = 1; string description = 2; string unit = 3; Sum sum = 7; Histogram histogram = 9; }
message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
message Metrics { repeated ResourceMetrics resource_metrics = 1; }
message LogRecord { fixed64 time_unix_nano = 1; int32 severity_number = 2; string severity_text = 3; AnyValue body = 5; repeated KeyValue attributes = 6; fixed32 flags = 8; bytes trace_id = 9; bytes span_id = 10; fixed64 observed_time_unix_nano = 11; string event_name = 12; }
message ScopeLogs { Scope scope = 1; repeated LogRecord log_records = 2; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; }
message Logs { repeated ResourceLogs resource_logs = 1; }
message PartialSuccess { int64 rejected = 1; string error_message = 2; }
message Answer { PartialSuccess partial_success = 1; }
message RpcStatus { int32 code = 1; string message = 2; }`

const root = protobuf.parse(PROTO).root
const NAMES: Readonly<Record<string, string>> = { "/v1/traces": "Traces", "/v1/metrics": "Metrics", "/v1/logs": "Logs" }

function decodeProtobuf(path: string, bytes: Buffer): unknown {
  return decodeAs(NAMES[path]!, bytes)
}

/** Decodes a message of the definitions. */
export function decodeAs(name: string, bytes: Uint8Array): Record<string, unknown> {
  const type = root.lookupType(`otlp.${name}`)
  return type.toObject(type.decode(bytes), { longs: String, bytes: String })
}

/** Encodes a message that is in OTLP's JSON, but for ids, which are bytes. */
export function encodeAs(name: string, message: object): Uint8Array {
  const type = root.lookupType(`otlp.${name}`)
  return type.encode(type.fromObject(message)).finish()
}

// biome-ignore lint/suspicious/noExplicitAny: a message of OTLP
type Any = any

function toSpans(message: Any): ReceivedSpan[] {
  return message.resourceSpans.flatMap((resource: Any) =>
    resource.scopeSpans.flatMap(({ spans }: Any) => spans.map(toSpan)),
  )
}

/** Ids are hexadecimal in JSON, and bytes in protobuf. */
const toHex = (id = "") =>
  /^[0-9a-f]*$/.test(id) && [16, 32].includes(id.length) ? id : Buffer.from(id, "base64").toString("hex")

/** A number has too few digits for nanoseconds. */
const toMs = (nanoseconds: string) => Number(String(nanoseconds).slice(0, -6))

function toSpan(span: Any): ReceivedSpan {
  return {
    traceId: toHex(span.traceId),
    spanId: toHex(span.spanId),
    parentSpanId: toHex(span.parentSpanId),
    name: span.name,
    kind: span.kind,
    start: toMs(span.startTimeUnixNano),
    end: toMs(span.endTimeUnixNano),
    statusCode: span.status?.code,
    attributes: readAttributes(span.attributes),
  }
}

/** Returns attributes as values of JavaScript. */
export function readAttributes(attributes: Any): Record<string, unknown> {
  return Object.fromEntries((attributes ?? []).map(({ key, value }: Any) => [key, readValue(value)]))
}

function readValue(value: Any): unknown {
  if (value.intValue !== undefined) return Number(value.intValue)
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(readValue)
  return value.stringValue ?? value.doubleValue ?? value.boolValue
}

function toMetrics(message: Any): ReturnType<OtlpReceiver["metrics"]> {
  if (message === undefined) return {}
  const metrics = message.resourceMetrics.flatMap((each: Any) =>
    each.scopeMetrics.flatMap((scope: Any) => scope.metrics),
  )
  return Object.fromEntries(
    metrics.map((metric: Any) => [
      metric.name,
      {
        unit: metric.unit,
        points: (metric.histogram ?? metric.sum).dataPoints.map((point: Any) => ({
          attributes: readAttributes(point.attributes),
          ...(point.count !== undefined && {
            count: Number(point.count),
            sum: point.sum,
            buckets: point.bucketCounts.map(Number),
            bounds: point.explicitBounds,
          }),
          ...(point.asDouble !== undefined && { value: point.asDouble }),
        })),
      },
    ]),
  )
}
