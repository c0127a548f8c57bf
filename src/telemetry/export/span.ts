import { FAILED_OUTCOMES, type Outcome } from "../../core/call.ts"
import type { LogRecord } from "../../core/log-record.ts"
import type { RequestParameters } from "../../core/request-parameters.ts"
import { type Attribute, Double, toAttributes } from "../otlp/attributes.ts"
import { toOperation, toProviderName } from "./operation.ts"

/** The parts of a span that are not in the row of its request. */
export interface SpanContext {
  /** The header `traceparent` of the client. */
  readonly traceparent: string | undefined
  /** The name of the API key. */
  readonly keyName: string | undefined
  /** The base URL of the provider. There are as few as the settings have. */
  readonly baseUrl: string
  /** Reads the parameters of the request. It is called only for a span that is exported. */
  readParameters?(): RequestParameters
  /** How the answer describes itself; undefined: it does not. */
  readonly answer?: { readonly id: string | undefined; readonly finishReasons: readonly string[] } | undefined
  /** The metadata names whose values become attributes. */
  readonly metadata: readonly string[]
}

/** A span in OTLP's JSON. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly status?: { readonly code: number }
  readonly flags: number
}

/** `SPAN_KIND_CLIENT`: the gateway is the client of the provider. */
const KIND_CLIENT = 3
const STATUS_ERROR = 2
const FLAG_SAMPLED = 1
/** The bits of `flags` that say that it is known whether the parent is in another process, and that it is. */
const FLAG_PARENT_IS_REMOTE = 0x300
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/

/**
 * Returns the span of a request, by the GenAI conventions of OpenTelemetry. It has no content: no prompt, no answer, and
 * no error message of the provider, which may repeat parts of them.
 *
 * Its ids follow from the id of the row: the span's are its last 16 digits, and so are the trace's 32 digits if the client
 * has no trace of its own.
 * @returns undefined if the client's trace is not sampled
 */
export function toSpan(record: LogRecord, context: SpanContext): Span | undefined {
  const [, traceId, parentSpanId, flags = "01"] = TRACEPARENT.exec(context.traceparent ?? "") ?? []
  if ((Number.parseInt(flags, 16) & FLAG_SAMPLED) === 0) return undefined
  const id = record.id.replaceAll("-", "")
  const operation = toOperation(record.request_path, record.request_method, record.transport === "websocket")
  const model = record.requested_model ?? record.model
  const error = toErrorType(record)
  return {
    traceId: traceId ?? id,
    spanId: id.slice(16),
    ...(parentSpanId !== undefined && { parentSpanId }),
    name: operation === undefined ? record.request_method : `${operation} ${model}`.trimEnd(),
    kind: KIND_CLIENT,
    startTimeUnixNano: toNanoseconds(record.requested_at),
    endTimeUnixNano: toNanoseconds(record.responded_at),
    attributes: [...toConventional(record, context, operation, error), ...toOwn(record, context)],
    ...(error !== undefined && { status: { code: STATUS_ERROR } }),
    flags: FLAG_SAMPLED | (parentSpanId === undefined ? 0 : FLAG_PARENT_IS_REMOTE),
  }
}

function toConventional(
  record: LogRecord,
  { baseUrl, readParameters, answer }: SpanContext,
  operation: string | undefined,
  error: string | undefined,
): Attribute[] {
  const hasUsage = record.usage_source !== "none"
  const isModelCall = operation !== undefined
  const { hostname, port } = findServer(baseUrl)
  return toAttributes({
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": toProviderName(record.provider),
    "gen_ai.request.model": record.requested_model,
    "gen_ai.response.model": hasUsage || isModelCall ? record.model || undefined : undefined,
    ...(isModelCall && readParameters !== undefined && toParameters(readParameters())),
    "gen_ai.response.id": answer?.id,
    "gen_ai.response.finish_reasons":
      answer === undefined || answer.finishReasons.length === 0 ? undefined : answer.finishReasons,
    "gen_ai.request.stream": isModelCall ? record.streamed : undefined,
    "gen_ai.response.time_to_first_chunk": isModelCall ? toFirstChunk(record) : undefined,
    "gen_ai.conversation.id": record.raw_metadata?.["Session-Id"],
    "gen_ai.usage.input_tokens": hasUsage ? record.input_tokens : undefined,
    "gen_ai.usage.output_tokens": hasUsage ? record.output_tokens : undefined,
    "gen_ai.usage.cache_read.input_tokens": hasUsage ? record.cached_tokens : undefined,
    "gen_ai.usage.cache_creation.input_tokens": hasUsage ? record.cache_creation_tokens : undefined,
    // The name of the same tokens since the conventions have a repository of their own (November 2026).
    "gen_ai.usage.cache_write.input_tokens": hasUsage ? record.cache_creation_tokens : undefined,
    "gen_ai.usage.reasoning.output_tokens": hasUsage ? record.reasoning_tokens : undefined,
    "error.type": error,
    "server.address": hostname,
    "server.port": port,
    "http.request.method": record.request_method,
    "http.response.status_code": record.status_code >= 100 ? record.status_code : undefined,
  })
}

function toParameters({ choices, ...asked }: RequestParameters) {
  return {
    "gen_ai.request.temperature": toDouble(asked.temperature),
    "gen_ai.request.top_p": toDouble(asked.topP),
    "gen_ai.request.top_k": toDouble(asked.topK),
    "gen_ai.request.frequency_penalty": toDouble(asked.frequencyPenalty),
    "gen_ai.request.presence_penalty": toDouble(asked.presencePenalty),
    "gen_ai.request.max_tokens": asked.maxTokens,
    "gen_ai.request.seed": asked.seed,
    "gen_ai.request.stop_sequences": asked.stopSequences,
    // The conventions leave out one choice, which is the default.
    "gen_ai.request.choice.count": choices === 1 ? undefined : choices,
    "gen_ai.output.type": asked.outputType,
  }
}

function toDouble(value: number | undefined): Double | undefined {
  return value === undefined ? undefined : new Double(value)
}

function toOwn(record: LogRecord, { metadata, keyName }: SpanContext): Attribute[] {
  const isSubscribed = record.billing === "subscription"
  const cost = record.total_cost === undefined ? undefined : new Double(Number(record.total_cost))
  const chosen = metadata.map((name) => [`majordomo.metadata.${name}`, record.raw_metadata?.[name]] as const)
  return toAttributes({
    "majordomo.request.id": record.id,
    "majordomo.outcome": record.outcome,
    "majordomo.cost.usd": isSubscribed ? undefined : cost,
    "majordomo.cost.api_value_usd": isSubscribed ? cost : undefined,
    "majordomo.cost.status": record.cost_status,
    "majordomo.billing": record.billing ?? "api",
    "majordomo.usage.source": record.usage_source,
    "majordomo.first_byte_ms": record.first_byte_ms,
    "majordomo.key.id": record.majordomo_api_key_id,
    "majordomo.key.name": keyName,
    ...Object.fromEntries(chosen),
  })
}

/** Returns the time until a streamed answer began, in seconds. */
function toFirstChunk({ streamed, first_byte_ms: ms }: LogRecord): Double | undefined {
  return streamed && ms !== undefined ? new Double(ms / 1000) : undefined
}

const FAILED: ReadonlySet<Outcome> = new Set(FAILED_OUTCOMES)

/** Returns the class of a request's error, as reports count errors: its status, or else why its answer is incomplete. */
function toErrorType({ status_code, outcome }: LogRecord): string | undefined {
  if (FAILED.has(outcome)) return outcome
  return status_code >= 400 ? String(status_code) : undefined
}

/** Converts an ISO 8601 time with milliseconds. */
function toNanoseconds(iso: string): string {
  return `${Date.parse(iso)}000000`
}

interface Server {
  readonly hostname: string
  readonly port: number
}

const servers = new Map<string, Server>()

/** Parses each base URL once. */
function findServer(baseUrl: string): Server {
  let server = servers.get(baseUrl)
  if (server === undefined) {
    const { hostname, port, protocol } = new URL(baseUrl)
    server = { hostname, port: Number(port || (protocol === "https:" ? 443 : 80)) }
    servers.set(baseUrl, server)
  }
  return server
}
