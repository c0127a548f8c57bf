import { createTable } from "../../core/table.ts"
import type { Fields } from "../fields.ts"
import { toMetadata } from "../metadata.ts"
import { guessProvider, toProviderName } from "../providers.ts"
import type { ForeignRequest, ForeignTokens, ImportSource, SkippedRecord } from "../request.ts"

/** The paths of LiteLLM's kinds of calls. Most have a form that begins with `a`, for asynchronous. */
const PATHS = createTable({
  completion: "/v1/chat/completions",
  text_completion: "/v1/completions",
  embedding: "/v1/embeddings",
  responses: "/v1/responses",
  image_generation: "/v1/images/generations",
  transcription: "/v1/audio/transcriptions",
  speech: "/v1/audio/speech",
  moderation: "/v1/moderations",
  rerank: "/v1/rerank",
  anthropic_messages: "/v1/messages",
  generate_content: "/v1beta/models",
  generate_content_stream: "/v1beta/models",
})

/** Calls that reach no model. */
const OTHER_CALLS =
  /mcp_tool|list_mcp|vector_store|file_(?:content|delete|list|retrieve)|create_file|(?:cancel|retrieve|list)_batch/

/**
 * Reads rows of the table LiteLLM_SpendLogs, from a CSV or JSON export or from the database (columns of version 1.80). The tokens of a
 * prompt include those that were read from a cache and written to it (`calculate_usage` in LiteLLM). LiteLLM writes a spend of 0 for
 * a model whose price it does not know, so that 0 is no cost unless it is known why.
 */
export const litellm: ImportSource = { title: "LiteLLM", read: readSpendLog }

function readSpendLog(fields: Fields): ForeignRequest | SkippedRecord {
  const call = fields.text("call_type") ?? ""
  if (OTHER_CALLS.test(call)) return { skip: "calls that reach no model" }
  const id = fields.requireText("request_id")
  const startedAt = fields.requireTime("startTime", "starttime", "start_time")
  const endedAt = Math.max(startedAt, fields.time("endTime", "endtime", "end_time") ?? startedAt)
  const details = fields.object("metadata")
  const usage = details.object("usage_object")
  const isFailed = (fields.text("status") ?? details.text("status")) === "failure"
  const failure = details.object("error_information")
  const firstByteAt = fields.time("completionStartTime", "completionstarttime")
  const isStreamed = firstByteAt !== undefined && firstByteAt > startedAt && firstByteAt < endedAt
  return {
    id,
    startedAt,
    endedAt,
    firstByteMs: isStreamed ? firstByteAt - startedAt : undefined,
    ...readModel(fields),
    path: PATHS[call] ?? PATHS[call.replace(/^a/, "")] ?? "/",
    tokens: readTokens(fields, usage),
    cost: { total: fields.money("spend") },
    free: findFreeReason(fields, isFailed),
    statusCode: isFailed ? toStatus(failure.text("error_code")) : 200,
    error: isFailed ? (failure.text("error_message") ?? failure.text("error_class")) : undefined,
    isStreamed,
    metadata: readMetadata(fields, details),
  }
}

function readModel(fields: Fields): Pick<ForeignRequest, "provider" | "model" | "requestedModel"> {
  const whole = fields.text("model") ?? ""
  const slash = whole.indexOf("/")
  const given = fields.text("custom_llm_provider")
  const prefix = slash < 0 ? undefined : whole.slice(0, slash)
  const model = prefix !== undefined && (given === undefined || given === prefix) ? whole.slice(slash + 1) : whole
  const provider = toProviderName(given ?? prefix ?? guessProvider(model) ?? "unknown")
  return { provider, model, requestedModel: fields.text("model_group") }
}

function readTokens(fields: Fields, usage: Fields): ForeignTokens {
  const prompt = usage.object("prompt_tokens_details")
  const input = fields.count("prompt_tokens") ?? 0
  const output = fields.count("completion_tokens") ?? 0
  const cacheRead = Math.min(input, usage.count("cache_read_input_tokens") ?? prompt.count("cached_tokens") ?? 0)
  const written = usage.count("cache_creation_input_tokens") ?? prompt.count("cache_creation_tokens") ?? 0
  const writes = Math.min(input - cacheRead, written)
  const lasting = prompt.object("cache_creation_token_details").count("ephemeral_1h_input_tokens") ?? 0
  const cacheWrite1h = Math.min(writes, lasting)
  const reasoning = Math.min(output, usage.object("completion_tokens_details").count("reasoning_tokens") ?? 0)
  return {
    input: input - cacheRead - writes,
    cacheRead,
    cacheWrite: writes - cacheWrite1h,
    cacheWrite1h,
    output: output - reasoning,
    reasoning,
  }
}

function findFreeReason(fields: Fields, isFailed: boolean): string | undefined {
  if (fields.isTrue("cache_hit")) return "LiteLLM answered from its own cache"
  return isFailed && (fields.count("total_tokens") ?? 0) === 0 ? "the request failed without usage" : undefined
}

function toStatus(code: string | undefined): number {
  const status = Number(code)
  return Number.isInteger(status) && status >= 400 && status < 600 ? status : 500
}

function readMetadata(fields: Fields, details: Fields): Readonly<Record<string, string>> {
  // LiteLLM adds the client as tags of its own.
  const tags = fields.texts("request_tags").filter((tag) => !tag.startsWith("User-Agent:"))
  return toMetadata(
    [
      ["Team", details.text("user_api_key_team_alias") ?? fields.text("team_id")],
      ["User-Id", fields.text("end_user") ?? fields.text("user")],
      ["Api-Key", details.text("user_api_key_alias")],
      ["Tags", tags.join(", ")],
      ["Organization", fields.text("organization_id")],
      ["Session-Id", fields.text("session_id")],
    ],
    details.object("spend_logs_metadata").plain(),
  )
}
