import type { Caller } from "../../core/call.ts"
import type { Billing, Cost } from "../../core/cost.ts"
import type { LogRecord } from "../../core/log-record.ts"
import { EMPTY_RECORD } from "../../core/row-columns.ts"
import { toIsoTime } from "../../core/time.ts"
import { NO_READING, NO_USAGE, type Reading, toTokenTotals } from "../../core/usage.ts"
import { toUsageKey } from "../../core/usage-key.ts"
import type { AgentUsage } from "./agent-usage.ts"
import { toEventId } from "./event-id.ts"

/** Returns a report as the reading of an answer, which is priced like one. What it does not tell makes the cost an estimate. */
export function toReading({ model, tokens, speed, missing, evidence }: AgentUsage): Reading {
  const { input, cacheRead, cacheWrite, output, reasoning } = tokens
  const usage = { ...NO_USAGE, input, cacheRead, cacheWrite, output, reasoning }
  const contextTokens = input + cacheRead + cacheWrite
  return {
    ...NO_READING,
    model,
    parts: [{ model, usage, contextTokens, role: "answer" }],
    speed,
    raw: evidence,
    source: "reported",
    missing,
  }
}

interface ReportFacts {
  readonly usage: AgentUsage
  readonly reading: Reading
  readonly cost: Cost
  readonly caller: Caller
  readonly metadata: Readonly<Record<string, string>>
  /** The model that the row counts for. */
  readonly model: string
  readonly billing: Billing | undefined
  /** The path to which the report was sent. */
  readonly path: string
  readonly now: number
}

/**
 * Returns the row of a report. Its time in the gateway is 0 ms, so that it counts in no latency; `requested_at` and
 * `responded_at` are the times of the request.
 */
export function toReportRow({
  usage,
  reading,
  cost,
  caller,
  metadata,
  model,
  billing,
  path,
  now,
}: ReportFacts): LogRecord {
  const totals = toTokenTotals(reading.parts)
  const endedAt = Math.min(usage.endedAt, now)
  const respondedAt = toIsoTime(endedAt)
  return {
    ...EMPTY_RECORD,
    id: toEventId(usage),
    majordomo_api_key_id: caller.keyId,
    provider: usage.provider,
    model,
    requested_model: usage.model,
    request_path: path,
    request_method: "POST",
    requested_at: toIsoTime(Math.max(0, endedAt - usage.durationMs)),
    responded_at: respondedAt,
    input_tokens: totals.inputTokens,
    cached_tokens: totals.cachedTokens,
    cache_creation_tokens: totals.cacheCreationTokens,
    cache_creation_1h_tokens: totals.cacheCreation1hTokens,
    output_tokens: totals.outputTokens,
    reasoning_tokens: totals.reasoningTokens,
    input_cost: cost.inputCost,
    output_cost: cost.outputCost,
    total_cost: cost.totalCost,
    billing,
    cost_status: cost.status === "exact" ? "estimated" : cost.status,
    price: cost.price,
    usage: reading.raw,
    usage_source: reading.source,
    status_code: 200,
    outcome: "complete",
    source: "telemetry",
    provider_request_id: usage.requestId,
    usage_key: toUsageKey(usage.session, totals),
    raw_metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
    created_at: respondedAt,
  }
}
