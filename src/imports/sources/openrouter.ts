import type { Fields } from "../fields.ts"
import { toMetadata } from "../metadata.ts"
import { RecordProblem } from "../problem.ts"
import type { ForeignRequest, ImportSource } from "../request.ts"

/**
 * Reads the activity of OpenRouter: the CSV of the page Activity, which has a line for each generation, and answers of
 * `GET /api/v1/generation`. The tokens of a prompt include those that were read from a cache, and the tokens of a completion include
 * reasoning. A cost is what OpenRouter has charged, so that 0 is a cost there.
 */
export const openrouter: ImportSource = { title: "OpenRouter", read: readGeneration }

function readGeneration(fields: Fields): ForeignRequest {
  if (fields.has("requests") && !fields.has("generation_id", "id")) {
    throw new RecordProblem(
      "the line is the sum of several requests (an answer of /api/v1/activity): export the CSV of the page Activity, which has each generation",
    )
  }
  const startedAt = fields.requireTime("created_at")
  const durationMs = Number(fields.text("generation_time_ms", "generation_time") ?? 0)
  const total = fields.money("cost_total", "total_cost", "usage")
  const isCanceled = fields.isTrue("cancelled")
  return {
    id: fields.requireText("generation_id", "id"),
    startedAt,
    endedAt: startedAt + (durationMs > 0 ? Math.round(durationMs) : 0),
    firstByteMs: toMilliseconds(fields.text("time_to_first_token_ms", "latency")),
    provider: "openrouter",
    model: fields.requireText("model_permaslug", "model"),
    path: "/api/v1/chat/completions",
    tokens: readTokens(fields),
    cost: { total },
    free: total === "0" ? "OpenRouter has charged nothing" : undefined,
    statusCode: 200,
    error: isCanceled ? "the client left before the end" : undefined,
    isStreamed: fields.isTrue("streamed"),
    metadata: toMetadata([
      ["User-Id", fields.text("user", "external_user")],
      ["Api-Key", fields.text("api_key_name")],
      ["App", fields.text("app_name")],
      ["Upstream", fields.text("provider_name")],
    ]),
  }
}

function readTokens(fields: Fields): ForeignRequest["tokens"] {
  // The native counts are those that are billed.
  const input = fields.count("native_tokens_prompt", "tokens_prompt") ?? 0
  const output = fields.count("native_tokens_completion", "tokens_completion") ?? 0
  const cacheRead = Math.min(input, fields.count("native_tokens_cached", "tokens_cached") ?? 0)
  const reasoning = Math.min(output, fields.count("native_tokens_reasoning", "tokens_reasoning") ?? 0)
  return { input: input - cacheRead, cacheRead, cacheWrite: 0, cacheWrite1h: 0, output: output - reasoning, reasoning }
}

function toMilliseconds(text: string | undefined): number | undefined {
  const ms = Number(text)
  return text !== undefined && ms >= 0 ? Math.round(ms) : undefined
}
