import type { Fields } from "../fields.ts"
import { toMetadata } from "../metadata.ts"
import { guessProvider, toProviderName } from "../providers.ts"
import type { ForeignRequest, ImportSource, SkippedRecord } from "../request.ts"

/**
 * Reads requests of Helicone as its export tool and its API `POST /v1/request/query-clickhouse` write them: JSON, JSON lines or CSV. Tokens
 * that were read from a cache or written to it are not among the tokens of a prompt.
 */
export const helicone: ImportSource = { title: "Helicone", read: readRequest }

/** Helicone writes the error of a request that never got an answer as a status below 0. */
const NO_ANSWER = 502

function readRequest(fields: Fields): ForeignRequest | SkippedRecord {
  const kind = fields.object("request_body").text("_type") ?? fields.object("llmSchema").object("request").text("_type")
  if (kind === "tool" || kind === "vector_db") return { skip: "tools and databases, which reach no model" }
  const startedAt = fields.requireTime("request_created_at")
  const path = fields.text("request_path")
  const status = Number(fields.text("response_status") ?? 200)
  const model = fields.text("response_model", "model") ?? fields.text("request_model") ?? ""
  return {
    id: fields.requireText("request_id"),
    startedAt,
    endedAt: findEnd(fields, startedAt),
    firstByteMs: fields.count("time_to_first_token"),
    provider: toProviderName(fields.text("provider") ?? guessProvider(model) ?? "unknown"),
    model,
    requestedModel: fields.text("request_model"),
    path: path === undefined ? "/" : toPath(path),
    tokens: {
      input: (fields.count("prompt_tokens") ?? 0) + (fields.count("prompt_audio_tokens") ?? 0),
      cacheRead: fields.count("prompt_cache_read_tokens") ?? 0,
      cacheWrite: fields.count("prompt_cache_write_tokens") ?? 0,
      cacheWrite1h: 0,
      output: (fields.count("completion_tokens") ?? 0) + (fields.count("completion_audio_tokens") ?? 0),
      reasoning: 0,
    },
    cost: { total: fields.money("costUSD", "cost_usd", "cost") },
    free: findFreeReason(fields, status),
    statusCode: status >= 100 && status < 600 ? status : NO_ANSWER,
    isStreamed: fields.has("time_to_first_token") && fields.text("time_to_first_token") !== undefined,
    metadata: toMetadata(
      [["User-Id", fields.text("request_user_id")]],
      fields
        .object("request_properties", "properties")
        .plain()
        .map(([name, value]) => [NAMES.get(name.toLowerCase()) ?? name, value] as const),
    ),
  }
}

/** Properties that Helicone sets by headers of its own. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ["helicone-session-id", "Session-Id"],
  ["helicone-session-path", "Span-Path"],
  ["helicone-session-name", "Session-Name"],
])

function findEnd(fields: Fields, startedAt: number): number {
  const delay = fields.count("delay_ms")
  const endedAt = delay === undefined ? fields.time("response_created_at") : startedAt + delay
  return Math.max(startedAt, endedAt ?? startedAt)
}

function toPath(text: string): string {
  return text.replace(/^[a-z]+:\/\/[^/]+/i, "").replace(/\?.*$/s, "") || "/"
}

function findFreeReason(fields: Fields, status: number): string | undefined {
  const cached = fields.text("cache_reference_id")
  if (cached !== undefined && !/^[0-]+$/.test(cached)) return "Helicone answered from its own cache"
  return status < 100 || status >= 400 ? "the request failed without usage" : undefined
}
