import { type Ask, type Made, textPieces, whole } from "./_shape.ts"

/** Returns Anthropic's response for messages and count_tokens, also at Vertex AI, or undefined for other paths. */
export function anthropic(ask: Ask): Made | undefined {
  if (ask.path.endsWith("/models/count-tokens:rawPredict")) return whole({ input_tokens: ask.tokens.input })
  const [, rawPredict] = /\/publishers\/anthropic\/models\/[^/:]+:(\w+)$/.exec(ask.path) ?? []
  if (rawPredict !== undefined) {
    return anthropic({ ...ask, path: "/messages", body: { ...ask.body, stream: rawPredict === "streamRawPredict" } })
  }
  if (ask.path.endsWith("/messages/count_tokens")) return whole({ input_tokens: ask.tokens.input })
  if (!ask.path.endsWith("/messages")) return undefined
  if (ask.body["stream"] === true) return stream(ask)
  const content = [{ type: "text", text: ask.text }]
  return whole({ ...message(ask), content, stop_reason: "end_turn", ...said(ask, counts(ask)) })
}

function message({ id, model }: Ask): Record<string, unknown> {
  return {
    id: `msg_${id}`,
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
  }
}

/** `input_tokens` excludes what was read from the cache or written to it. */
function counts({ tokens, script }: Ask): Record<string, unknown> {
  return {
    input_tokens: tokens.input - tokens.cached - tokens.cacheWrite,
    cache_creation_input_tokens: tokens.cacheWrite,
    cache_read_input_tokens: tokens.cached,
    cache_creation: {
      ephemeral_5m_input_tokens: tokens.cacheWrite - tokens.cacheWrite1h,
      ephemeral_1h_input_tokens: tokens.cacheWrite1h,
    },
    output_tokens: tokens.output,
    ...(tokens.reasoning > 0 ? { output_tokens_details: { thinking_tokens: tokens.reasoning } } : {}),
    service_tier: script.serviceTier ?? "standard",
  }
}

function said({ script }: Ask, made: Record<string, unknown>): { readonly usage?: unknown } {
  return script.usage === false ? {} : { usage: script.usage ?? made }
}

/** The usage of message_delta is cumulative and does not repeat the split of the cache writes. */
export function streamEvents(ask: Ask): readonly Record<string, unknown>[] {
  const all = counts(ask)
  const { cache_creation: _split, service_tier: _tier, ...last } = all
  const first = { ...all, output_tokens: 1, output_tokens_details: undefined }
  return [
    { type: "message_start", message: { ...message(ask), ...said(ask, first) } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "ping" },
    ...textPieces(ask).map((text) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } })),
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, ...said(ask, last) },
    { type: "message_stop" },
  ]
}

function stream(ask: Ask): Made {
  const end = ask.script.lineEnd ?? "\n"
  const pieces = streamEvents(ask).map(
    (event) => `event: ${event["type"]}${end}data: ${JSON.stringify(event)}${end}${end}`,
  )
  return { status: 200, contentType: "text/event-stream; charset=utf-8", pieces, stream: true }
}
