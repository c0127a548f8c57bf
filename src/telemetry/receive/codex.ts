import {
  type AgentUsage,
  type EventAttributes,
  InvalidEvent,
  pickEvidence,
  readBilling,
  readCount,
  readText,
  toClient,
} from "./agent-usage.ts"

const EVIDENCE = [
  "event.kind",
  "input_token_count",
  "cached_token_count",
  "cache_write_token_count",
  "output_token_count",
  "reasoning_token_count",
  "tool_token_count",
  "auth_mode",
  "originator",
  "slug",
]

/**
 * Reads the event `codex.sse_event` of the kind `response.completed`, which Codex logs after each response: once with the
 * duration, which is not read, and once with the tokens. It has no id of the response.
 * Source: codex-rs/otel of https://github.com/openai/codex, and what version 0.171 sends (November 2026).
 * @returns undefined for its other events, and for a response that failed
 * @throws InvalidEvent if it is not complete
 */
export function readCodex(event: string, attributes: EventAttributes, endedAt: number): AgentUsage | undefined {
  if (event !== "codex.sse_event" || attributes["event.kind"] !== "response.completed") return undefined
  if (attributes["input_token_count"] === undefined) return undefined
  const model = readText(attributes, "model", "slug")
  if (model === undefined) throw new InvalidEvent("model is missing")
  const all = readCount(attributes, "input_token_count")
  const cacheRead = Math.min(readCount(attributes, "cached_token_count"), all)
  const cacheWrite = Math.min(readCount(attributes, "cache_write_token_count"), all - cacheRead)
  const output = readCount(attributes, "output_token_count")
  const reasoning = Math.min(readCount(attributes, "reasoning_token_count"), output)
  const isSubscribed = readText(attributes, "auth_mode")?.toLowerCase().startsWith("chatgpt") === true
  return {
    client: toClient("codex", readText(attributes, "app.version", "service.version")),
    provider: isSubscribed ? "chatgpt" : "openai",
    model,
    session: readText(attributes, "conversation.id"),
    user: readText(attributes, "user.account_id"),
    email: readText(attributes, "user.email"),
    endedAt,
    durationMs: 0,
    tokens: { input: all - cacheRead - cacheWrite, cacheRead, cacheWrite, output: output - reasoning, reasoning },
    requestId: undefined,
    billing: readBilling(attributes) ?? (isSubscribed ? "subscription" : undefined),
    speed: undefined,
    missing: ["the report says nothing about server tools and the service tier"],
    evidence: { event, ...pickEvidence(attributes, EVIDENCE) },
  }
}
