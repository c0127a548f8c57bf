import { type Ask, type Made, textPieces, whole } from "./_shape.ts"
import { spell, usage } from "./openai.ts"

/** OpenAI's Responses API: complete, streamed, counted, and retrieved. Returns undefined for other paths. */
export function responses(ask: Ask): Made | undefined {
  const { path, method, body, tokens } = ask
  if (path.endsWith("/responses/input_tokens")) {
    return whole({ object: "response.input_tokens", input_tokens: tokens.input })
  }
  if (/\/responses\/[^/]+$/.test(path) && method === "GET") return whole(response(ask, "completed"))
  if (!path.endsWith("/responses")) return undefined
  if (body["stream"] === true) return stream(ask)
  return { ...whole({}), pieces: [spell(ask, response(ask, "completed"))] }
}

function response(ask: Ask, status: "in_progress" | "completed"): Record<string, unknown> {
  const done = status === "completed"
  const { tokens } = ask
  const counts = {
    input_tokens: tokens.input,
    input_tokens_details: {
      cached_tokens: tokens.cached,
      ...(tokens.cacheWrite > 0 ? { cache_write_tokens: tokens.cacheWrite } : {}),
    },
    output_tokens: tokens.output,
    output_tokens_details: { reasoning_tokens: tokens.reasoning },
    total_tokens: tokens.input + tokens.output,
  }
  return {
    id: `resp_${ask.id}`,
    object: "response",
    created_at: 1_760_000_000,
    status,
    background: false,
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    model: ask.model,
    output: done ? [message(ask, ask.text, "completed")] : [],
    parallel_tool_calls: true,
    service_tier: done ? (ask.script.serviceTier ?? "default") : "auto",
    temperature: 1,
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    ...(done ? usage(ask, counts) : { usage: null }),
  }
}

function message(ask: Ask, text: string | undefined, status: string): unknown {
  const content = text === undefined ? [] : [part(text)]
  return { id: `msg_${ask.id}`, type: "message", status, content, role: "assistant" }
}

function part(text: string): unknown {
  return { type: "output_text", annotations: [], logprobs: [], text }
}

function stream(ask: Ask): Made {
  const at = { item_id: `msg_${ask.id}`, output_index: 0, content_index: 0 }
  const events: Record<string, unknown>[] = [
    { type: "response.created", response: response(ask, "in_progress") },
    { type: "response.in_progress", response: response(ask, "in_progress") },
    { type: "response.output_item.added", output_index: 0, item: message(ask, undefined, "in_progress") },
    { type: "response.content_part.added", ...at, part: part("") },
    ...textPieces(ask).map((delta) => ({ type: "response.output_text.delta", ...at, delta, logprobs: [] })),
    { type: "response.output_text.done", ...at, text: ask.text, logprobs: [] },
    { type: "response.content_part.done", ...at, part: part(ask.text) },
    { type: "response.output_item.done", output_index: 0, item: message(ask, ask.text, "completed") },
    { type: "response.completed", response: response(ask, "completed") },
  ]
  const end = ask.script.lineEnd ?? "\n"
  const pieces = events.map((event, sequence) => {
    const data = spell(ask, { ...event, sequence_number: sequence })
    return `event: ${event["type"]}${end}data: ${data}${end}${end}`
  })
  return { status: 200, contentType: "text/event-stream; charset=utf-8", pieces, stream: true }
}
