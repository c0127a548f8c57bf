import type { MessageType } from "./wire.ts"

/*
 * The messages of OTLP, as far as the gateway sends or reads them.
 * Source: opentelemetry-proto 1.9.0 (trace, metrics, logs, collector), google.rpc.Status; November 2026.
 */

const ANY_VALUE: MessageType = {
  stringValue: { no: 1, type: "string" },
  boolValue: { no: 2, type: "bool" },
  intValue: { no: 3, type: "int64" },
  doubleValue: { no: 4, type: "double" },
  arrayValue: { no: 5, type: () => ARRAY_VALUE },
  kvlistValue: { no: 6, type: () => KEY_VALUE_LIST },
  bytesValue: { no: 7, type: "bytes" },
}
const ARRAY_VALUE: MessageType = { values: { no: 1, type: () => ANY_VALUE, isList: true } }
const KEY_VALUE: MessageType = { key: { no: 1, type: "string" }, value: { no: 2, type: () => ANY_VALUE } }
const KEY_VALUE_LIST: MessageType = { values: { no: 1, type: () => KEY_VALUE, isList: true } }
const attributes = (no: number) => ({ no, type: () => KEY_VALUE, isList: true }) as const

const RESOURCE: MessageType = { attributes: attributes(1) }
const SCOPE: MessageType = {
  name: { no: 1, type: "string" },
  version: { no: 2, type: "string" },
  attributes: attributes(3),
}
const resource = { no: 1, type: () => RESOURCE } as const
const scope = { no: 1, type: () => SCOPE } as const
const schemaUrl = { no: 3, type: "string" } as const

const SPAN: MessageType = {
  traceId: { no: 1, type: "hex" },
  spanId: { no: 2, type: "hex" },
  traceState: { no: 3, type: "string" },
  parentSpanId: { no: 4, type: "hex" },
  name: { no: 5, type: "string" },
  kind: { no: 6, type: "int32" },
  startTimeUnixNano: { no: 7, type: "fixed64" },
  endTimeUnixNano: { no: 8, type: "fixed64" },
  attributes: attributes(9),
  status: { no: 15, type: () => ({ message: { no: 2, type: "string" }, code: { no: 3, type: "int32" } }) },
  flags: { no: 16, type: "fixed32" },
}
const SCOPE_SPANS: MessageType = { scope, spans: { no: 2, type: () => SPAN, isList: true }, schemaUrl }
const RESOURCE_SPANS: MessageType = {
  resource,
  scopeSpans: { no: 2, type: () => SCOPE_SPANS, isList: true },
  schemaUrl,
}
export const TRACES: MessageType = { resourceSpans: { no: 1, type: () => RESOURCE_SPANS, isList: true } }

const NUMBER_POINT: MessageType = {
  startTimeUnixNano: { no: 2, type: "fixed64" },
  timeUnixNano: { no: 3, type: "fixed64" },
  asDouble: { no: 4, type: "double" },
  attributes: attributes(7),
}
const HISTOGRAM_POINT: MessageType = {
  startTimeUnixNano: { no: 2, type: "fixed64" },
  timeUnixNano: { no: 3, type: "fixed64" },
  count: { no: 4, type: "fixed64" },
  sum: { no: 5, type: "double" },
  bucketCounts: { no: 6, type: "fixed64", isList: true },
  explicitBounds: { no: 7, type: "double", isList: true },
  attributes: attributes(9),
}
const SUM: MessageType = {
  dataPoints: { no: 1, type: () => NUMBER_POINT, isList: true },
  aggregationTemporality: { no: 2, type: "int32" },
  isMonotonic: { no: 3, type: "bool" },
}
const HISTOGRAM: MessageType = {
  dataPoints: { no: 1, type: () => HISTOGRAM_POINT, isList: true },
  aggregationTemporality: { no: 2, type: "int32" },
}
const METRIC: MessageType = {
  name: { no: 1, type: "string" },
  description: { no: 2, type: "string" },
  unit: { no: 3, type: "string" },
  sum: { no: 7, type: () => SUM },
  histogram: { no: 9, type: () => HISTOGRAM },
}
const SCOPE_METRICS: MessageType = { scope, metrics: { no: 2, type: () => METRIC, isList: true }, schemaUrl }
const RESOURCE_METRICS: MessageType = {
  resource,
  scopeMetrics: { no: 2, type: () => SCOPE_METRICS, isList: true },
  schemaUrl,
}
export const METRICS: MessageType = { resourceMetrics: { no: 1, type: () => RESOURCE_METRICS, isList: true } }

const LOG_RECORD: MessageType = {
  timeUnixNano: { no: 1, type: "fixed64" },
  severityNumber: { no: 2, type: "int32" },
  severityText: { no: 3, type: "string" },
  body: { no: 5, type: () => ANY_VALUE },
  attributes: attributes(6),
  flags: { no: 8, type: "fixed32" },
  traceId: { no: 9, type: "hex" },
  spanId: { no: 10, type: "hex" },
  observedTimeUnixNano: { no: 11, type: "fixed64" },
  eventName: { no: 12, type: "string" },
}
const SCOPE_LOGS: MessageType = { scope, logRecords: { no: 2, type: () => LOG_RECORD, isList: true }, schemaUrl }
const RESOURCE_LOGS: MessageType = { resource, scopeLogs: { no: 2, type: () => SCOPE_LOGS, isList: true }, schemaUrl }
export const LOGS: MessageType = { resourceLogs: { no: 1, type: () => RESOURCE_LOGS, isList: true } }

/** The answers to an export, which differ only in the name of the rejected items. */
const toAnswer = (rejected: string): MessageType => ({
  partialSuccess: {
    no: 1,
    type: () => ({ [rejected]: { no: 1, type: "int64" }, errorMessage: { no: 2, type: "string" } }),
  },
})
export const TRACES_ANSWER = toAnswer("rejectedSpans")
export const METRICS_ANSWER = toAnswer("rejectedDataPoints")
export const LOGS_ANSWER = toAnswer("rejectedLogRecords")

/** The body of an error, `google.rpc.Status`. */
export const STATUS: MessageType = { code: { no: 1, type: "int32" }, message: { no: 2, type: "string" } }
