import { NO_READING, type Reading } from "../../core/usage.ts"
import { boundedJson } from "../_bounded-json.ts"
import type { Evidence } from "../_evidence.ts"
import { countOf, type JsonObject, objectOf, textOf } from "../_values.ts"
import { toReading as toAnthropicReading } from "../anthropic/reading.ts"
import { readUsage as readOpenAiUsage } from "../openai/usage.ts"
import { fillAnthropic, fillOpenAi, isAnthropic, isOpenAi, readCounts, readMetrics, reportsTokens } from "./usage.ts"

/**
 * The members that the gateway adds to the usage object of the answer. Stored rows have them, so their names stay:
 * - `invocation_metrics`: Bedrock's own counts, of the headers or of the last chunk of a stream, by the names of the
 *   latter: `inputTokenCount`, `outputTokenCount`, `cacheReadInputTokenCount`, `cacheWriteInputTokenCount`
 * - `bedrock_service_tier`, `bedrock_latency`: how the request was served
 * - `billed_beside`: `guardrail`, true if a guardrail checked the request; `code_execution` as at Anthropic
 * - `estimated_from_text`: counts that the gateway made itself, because the stream ended without them
 */
const ADDED_MEMBERS = [
  "invocation_metrics",
  "bedrock_service_tier",
  "bedrock_latency",
  "billed_beside",
  "estimated_from_text",
]

/** Members that only the gateway may write. */
export const RESERVED_MEMBERS = [...ADDED_MEMBERS, "sums"]

/** Returns the reading of an answer of Bedrock's: live or stored. */
export function toReading(evidence: Evidence): Reading {
  const { model, usage, isFree } = evidence
  if (!usage || !reportsTokens(usage)) return { ...NO_READING, model, free: isFree }
  const reading = readTokens(evidence, usage)
  const latency = textOf(usage["bedrock_latency"])?.toLowerCase()
  const missing = [...(reading.missing ?? []), ...feesIn(usage)]
  return {
    ...reading,
    tier: textOf(usage["bedrock_service_tier"])?.toLowerCase() ?? reading.tier,
    speed: latency ?? reading.speed,
    raw: boundedJson(usage, ADDED_MEMBERS),
    missing: missing.length > 0 ? missing : undefined,
  }
}

/** Reads the tokens by the names that the model uses. */
function readTokens(evidence: Evidence, usage: JsonObject): Reading {
  const { model, source, isFree } = evidence
  const metrics = readMetrics(objectOf(usage["invocation_metrics"]))
  if (isAnthropic(usage)) return toAnthropicReading({ ...evidence, usage: fillAnthropic(usage, metrics) })
  const read = isOpenAi(usage) ? readOpenAiUsage(fillOpenAi(usage, metrics), "text") : readCounts(usage)
  if (!read) return { ...NO_READING, model, free: isFree }
  return {
    ...NO_READING,
    model,
    parts: [{ model, usage: read.usage, contextTokens: read.contextTokens, role: "answer" }],
    source,
    free: isFree,
    inconsistent: read.inconsistent,
    missing: "missing" in read ? read.missing : undefined,
  }
}

/** Returns what was billed beside the tokens, and has a price of its own that the answer does not state. */
function feesIn(usage: JsonObject): readonly string[] {
  const tools = Object.entries(objectOf(usage["serverToolUsage"]) ?? {})
  return [
    ...(objectOf(usage["billed_beside"])?.["guardrail"] === true ? ["the fee of the guardrail is not known"] : []),
    ...tools.flatMap(([name, count]) => (countOf(count) ? [`the fee of ${textOf(name)} is not known`] : [])),
  ]
}
