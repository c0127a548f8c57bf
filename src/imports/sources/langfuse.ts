import { addDecimals } from "../../core/decimal.ts"
import type { Fields } from "../fields.ts"
import { toMetadata } from "../metadata.ts"
import { guessProvider, toProviderName } from "../providers.ts"
import type { ForeignRequest, ForeignTokens, ImportSource, SkippedRecord } from "../request.ts"

/**
 * Reads observations of Langfuse: pages of its API (`GET /api/public/observations` and `/v2/observations`), exports to blob storage, and
 * exports of its tables as CSV or JSON, which write names in camel case, in snake case or both. Only observations that call a
 * model are requests.
 */
export const langfuse: ImportSource = { title: "Langfuse", read: readObservation }

const CALLS = /^(?:GENERATION|EMBEDDING)$/i

function readObservation(fields: Fields): ForeignRequest | SkippedRecord {
  const type = fields.text("type")
  if (type !== undefined && !CALLS.test(type)) return { skip: "observations that are no call of a model" }
  const id = fields.requireText("id")
  const startedAt = fields.requireTime("startTime", "start_time")
  const firstTokenAt = fields.time("completionStartTime", "completion_start_time")
  const model = fields.text("model", "providedModelName", "provided_model_name") ?? ""
  const isFailed = /^ERROR$/i.test(fields.text("level") ?? "")
  const metadata = fields.object("metadata")
  return {
    id,
    startedAt,
    endedAt: Math.max(startedAt, fields.time("endTime", "end_time") ?? startedAt),
    firstByteMs: firstTokenAt === undefined ? undefined : Math.max(0, firstTokenAt - startedAt),
    provider: toProviderName(metadata.text("provider", "ls_provider") ?? guessProvider(model) ?? "unknown"),
    model,
    path: "/",
    tokens: readTokens(fields),
    cost: readCost(fields),
    free: isFailed ? "the request failed without usage" : undefined,
    statusCode: isFailed ? 500 : 200,
    error: isFailed ? fields.text("statusMessage", "status_message") : undefined,
    isStreamed: firstTokenAt !== undefined,
    metadata: toMetadata([
      ["User-Id", fields.text("userId", "user_id")],
      ["Session-Id", fields.text("sessionId", "session_id")],
      ["Trace-Id", fields.text("traceId", "trace_id")],
      ["Span-Name", fields.text("name")],
      ["Trace-Name", fields.text("traceName", "trace_name")],
      ["Environment", fields.text("environment")],
      ["Tags", fields.texts("tags", "traceTags", "trace_tags").join(", ")],
    ]),
  }
}

const READ = /cache_?read|cached/i
const WRITE = /cache_?(?:creation|write)/i
const ONE_HOUR = /1h|60m/i
const REASONING = /reasoning|thought/i

/**
 * Returns the tokens of `usageDetails`, whose names the clients of Langfuse choose: `input`, `output`, `total`, and others that begin
 * with `input` and `output` or name a cache. Langfuse expects counts that do not overlap, but some clients send
 * the whole prompt as `input`. The total says which: then it is the sum of input and output alone.
 */
function readTokens(fields: Fields): ForeignTokens {
  const details = fields.object("usageDetails", "usage_details")
  const counts = details.plain().map(([name]) => [name, details.count(name) ?? 0] as const)
  const sum = (matches: (name: string) => boolean) =>
    counts.reduce((total, [name, count]) => (matches(name) ? total + count : total), 0)
  const old = fields.object("usage")
  const input =
    details.count("input", "input_tokens", "prompt_tokens") ??
    fields.count("inputUsage", "promptTokens") ??
    old.count("input")
  const output =
    details.count("output", "output_tokens", "completion_tokens") ??
    fields.count("outputUsage", "completionTokens") ??
    old.count("output")
  const cacheRead = sum((name) => READ.test(name))
  const cacheWrite1h = sum((name) => WRITE.test(name) && ONE_HOUR.test(name))
  const cacheWrite = sum((name) => WRITE.test(name)) - cacheWrite1h
  const reasoning = sum((name) => REASONING.test(name))
  const parts = sum((name) => /^input_/i.test(name) && !OF_INPUT.test(name) && !READ.test(name) && !WRITE.test(name))
  const ofOutput = sum((name) => /^output_/i.test(name) && !OF_OUTPUT.test(name) && !REASONING.test(name))
  const whole = { input: (input ?? 0) + parts, output: (output ?? 0) + ofOutput }
  const total = details.count("total", "total_tokens")
  const caches = cacheRead + cacheWrite + cacheWrite1h
  const isNested =
    total !== undefined && total === (input ?? 0) + (output ?? 0) && caches + reasoning + parts + ofOutput > 0
  if (!isNested) return { ...whole, cacheRead, cacheWrite, cacheWrite1h, reasoning }
  const inner = { input: Math.max(0, (input ?? 0) - caches), output: Math.max(0, (output ?? 0) - reasoning) }
  return { ...inner, cacheRead, cacheWrite, cacheWrite1h, reasoning: Math.min(reasoning, output ?? 0) }
}

/** The names of the counts themselves, which begin like the names of their parts. */
const OF_INPUT = /^input_tokens$/i
const OF_OUTPUT = /^output_tokens$/i

/** Returns the cost, with its two sides if they add up to it. */
function readCost(fields: Fields): ForeignRequest["cost"] {
  const details = fields.object("costDetails", "cost_details")
  const total =
    fields.money("totalCost", "total_cost", "calculatedTotalCost", "calculated_total_cost") ?? details.money("total")
  const input = sumOf(details, /^(?:input|cache|prompt)/i)
  const output = sumOf(details, /^(?:output|completion|reasoning)/i)
  if (input === undefined || output === undefined || total !== addDecimals(input, output)) return { total }
  return { total, input, output }
}

function sumOf(details: Fields, pattern: RegExp): string | undefined {
  const amounts = details.plain().flatMap(([name]) => (pattern.test(name) ? [details.money(name) ?? "0"] : []))
  return amounts.length === 0 ? undefined : amounts.reduce(addDecimals)
}
