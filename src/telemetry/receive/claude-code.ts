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

/** The attributes that a row keeps. None of them is content. */
const EVIDENCE = [
  "event.sequence",
  "cost_usd",
  "duration_ms",
  "input_tokens",
  "output_tokens",
  "cache_read_tokens",
  "cache_creation_tokens",
  "request_id",
  "speed",
  "query_source",
  "effort",
]

/**
 * Reads the event `claude_code.api_request`, which Claude Code logs after each answer.
 * Source: https://code.claude.com/docs/en/monitoring-usage, and what version 2.1.197 sends (November 2026).
 * @returns undefined for its other events
 * @throws InvalidEvent if it is not complete
 */
export function readClaudeCode(event: string, attributes: EventAttributes, endedAt: number): AgentUsage | undefined {
  if (event !== "claude_code.api_request") return undefined
  // The suffix says how large the context may be, and is no part of the model's name.
  const model = readText(attributes, "model")?.replace(/\[[^\]]*\]$/, "")
  if (model === undefined) throw new InvalidEvent("model is missing")
  const cacheWrite = readCount(attributes, "cache_creation_tokens")
  return {
    client: toClient("claude-code", readText(attributes, "app.version", "service.version")),
    provider: toProvider(model),
    model,
    session: readText(attributes, "session.id"),
    user: readText(attributes, "user.account_uuid", "user.id"),
    email: readText(attributes, "user.email"),
    endedAt,
    durationMs: readCount(attributes, "duration_ms"),
    tokens: {
      input: readCount(attributes, "input_tokens"),
      cacheRead: readCount(attributes, "cache_read_tokens"),
      cacheWrite,
      output: readCount(attributes, "output_tokens"),
      reasoning: 0,
    },
    requestId: readText(attributes, "request_id"),
    billing: readBilling(attributes),
    speed: readText(attributes, "speed") === "fast" ? "fast" : undefined,
    missing: [
      "the report says nothing about server tools, the region and the service tier",
      ...(cacheWrite > 0 ? ["the report does not say how long cache writes live"] : []),
    ],
    evidence: { event, ...pickEvidence(attributes, EVIDENCE) },
  }
}

/** The clouds have names of their own for the models. */
function toProvider(model: string): string {
  if (/(?:^|[./])anthropic\./.test(model)) return "bedrock"
  return model.includes("@") ? "vertex" : "anthropic"
}
