import type { Fields } from "../fields.ts"
import { toMetadata } from "../metadata.ts"
import { toProviderName } from "../providers.ts"
import type { ForeignRequest, ImportSource } from "../request.ts"

/**
 * Reads rows of the table llm_requests of the Go gateway, in its first or its second version. The second one has the cost of cached tokens
 * and of cache writes in columns of their own, and the first one has it within `input_cost`. Both write 0 where they know no price.
 */
export const go: ImportSource = { title: "the Go gateway", read: readRow }

function readRow(fields: Fields): ForeignRequest {
  const startedAt = fields.requireTime("requested_at")
  const statusCode = fields.count("status_code") ?? 200
  const tokens = readTokens(fields)
  const isEmpty = tokens.input + tokens.cacheRead + tokens.cacheWrite + tokens.cacheWrite1h + tokens.output === 0
  return {
    id: fields.requireText("id"),
    startedAt,
    endedAt: Math.max(startedAt, fields.time("responded_at") ?? startedAt),
    provider: toProviderName(fields.requireText("provider")),
    model: fields.text("model") ?? "",
    requestedModel: fields.text("routing_original_model", "original_model"),
    path: fields.text("request_path") ?? "/",
    tokens,
    cost: { total: fields.money("total_cost"), output: fields.money("output_cost") },
    free: statusCode >= 400 && isEmpty ? "the request failed without usage" : undefined,
    statusCode,
    error: fields.text("error_message"),
    isStreamed: false,
    metadata: toMetadata(
      [
        ["Trace-Id", fields.text("trace_id")],
        ["Span-Path", fields.text("span_path")],
        ["Span-Name", fields.text("span_name")],
      ],
      fields.object("raw_metadata").plain(),
    ),
  }
}

function readTokens(fields: Fields): ForeignRequest["tokens"] {
  const input = fields.count("input_tokens") ?? 0
  const cacheRead = Math.min(input, fields.count("cached_tokens") ?? 0)
  const writes = Math.min(input - cacheRead, fields.count("cache_creation_tokens") ?? 0)
  const cacheWrite1h = Math.min(writes, fields.count("cache_creation_1h_tokens") ?? 0)
  const output = fields.count("output_tokens") ?? 0
  return {
    input: input - cacheRead - writes,
    cacheRead,
    cacheWrite: writes - cacheWrite1h,
    cacheWrite1h,
    output,
    reasoning: 0,
  }
}
