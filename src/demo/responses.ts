import { randomUUID } from "node:crypto"

/** A request to the demo's provider. */
interface DemoRequest {
  readonly path: string
  /** True for `?alt=sse`. */
  readonly isSse: boolean
  readonly body: Readonly<Record<string, unknown>>
}

export interface DemoResponse {
  readonly status: number
  readonly contentType: string
  /** One piece is a complete response. Several pieces are a stream. */
  readonly pieces: readonly string[]
}

/** The content of a response, and what of the request decides its shape. */
interface Content {
  readonly id: string
  readonly model: string
  readonly words: readonly string[]
  readonly text: string
  readonly input: number
  readonly output: number
  readonly isStream: boolean
  readonly body: DemoRequest["body"]
  readonly isSse: boolean
}

/** Creates the response of the provider to which the path belongs, in that provider's format. */
export function createResponse(request: DemoRequest): DemoResponse {
  const { path, body } = request
  const prompt = textOf(body)
  const text = `This is the demo: no provider was asked. Your prompt has ${prompt.length} characters.`
  const content: Content = {
    id: randomUUID().replaceAll("-", ""),
    model: typeof body["model"] === "string" ? body["model"] : (/models\/([^/:]+)/.exec(path)?.[1] ?? "demo"),
    words: text.match(/\S+\s*/g)!,
    text,
    input: toTokens(prompt),
    output: toTokens(text),
    isStream: body["stream"] === true || path.endsWith(":streamGenerateContent"),
    body,
    isSse: request.isSse,
  }
  const make = ROUTES.find(([route]) => route.test(path))?.[1]
  if (make === undefined)
    return { ...json({ error: { message: `the demo has no response for ${path}` } }), status: 404 }
  return make(content)
}

const ROUTES: readonly (readonly [path: RegExp, make: (content: Content) => DemoResponse])[] = [
  [/\/messages\/count_tokens$/, ({ input }) => json({ input_tokens: input })],
  [/\/messages$/, messages],
  [/\/chat\/completions$/, chat],
  [/\/responses$/, responses],
  [/\/embeddings$/, embeddings],
  [/:(stream)?generateContent$/i, generate],
  [/:countTokens$/, ({ input }) => json({ totalTokens: input })],
  [/\/v1beta\/models$/, () => json({ models: [{ name: "models/gemini-2.5-flash" }] })],
  [/\/models$/, () => json({ object: "list", data: [{ id: "gpt-4o-mini", object: "model", owned_by: "demo" }] })],
]

function chat({ id, model, words, text, input, output, isStream, body }: Content): DemoResponse {
  const usage = {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  }
  const head = { id: `chatcmpl-${id}`, created: now(), model, service_tier: "default" }
  if (!isStream) {
    const choice = { index: 0, message: { role: "assistant", content: text, refusal: null }, finish_reason: "stop" }
    return json({ ...head, object: "chat.completion", choices: [choice], usage })
  }
  const asked = (body["stream_options"] as { include_usage?: unknown } | undefined)?.include_usage === true
  const chunk = (delta: object, finish_reason: string | null) =>
    data({
      ...head,
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, finish_reason }],
      ...(asked && { usage: null }),
    })
  return events([
    chunk({ role: "assistant", content: "" }, null),
    ...words.map((content) => chunk({ content }, null)),
    chunk({}, "stop"),
    ...(asked ? [data({ ...head, object: "chat.completion.chunk", choices: [], usage })] : []),
    "data: [DONE]\n\n",
  ])
}

function responses({ id, model, words, text, input, output, isStream }: Content): DemoResponse {
  const item = { id: `msg_${id}`, type: "message", role: "assistant" }
  const part = (partText: string) => ({ type: "output_text", text: partText, annotations: [], logprobs: [] })
  const response = (done: boolean) => ({
    id: `resp_${id}`,
    object: "response",
    created_at: now(),
    status: done ? "completed" : "in_progress",
    error: null,
    model,
    output: done ? [{ ...item, status: "completed", content: [part(text)] }] : [],
    tools: [],
    tool_choice: "auto",
    parallel_tool_calls: true,
    usage: done
      ? {
          input_tokens: input,
          input_tokens_details: { cached_tokens: 0 },
          output_tokens: output,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: input + output,
        }
      : null,
  })
  if (!isStream) return json(response(true))
  const at = { item_id: item.id, output_index: 0, content_index: 0 }
  const all: readonly Event[] = [
    { type: "response.created", response: response(false) },
    { type: "response.output_item.added", output_index: 0, item: { ...item, status: "in_progress", content: [] } },
    { type: "response.content_part.added", ...at, part: part("") },
    ...words.map((delta) => ({ type: "response.output_text.delta", ...at, delta, logprobs: [] })),
    { type: "response.output_text.done", ...at, text, logprobs: [] },
    { type: "response.content_part.done", ...at, part: part(text) },
    {
      type: "response.output_item.done",
      output_index: 0,
      item: { ...item, status: "completed", content: [part(text)] },
    },
    { type: "response.completed", response: response(true) },
  ]
  return events(all.map((each, sequence_number) => event({ ...each, sequence_number })))
}

function messages({ id, model, words, text, input, output, isStream }: Content): DemoResponse {
  const usage = { input_tokens: input, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 }
  const head = { id: `msg_${id}`, type: "message", role: "assistant", model, stop_sequence: null }
  if (!isStream) {
    const content = [{ type: "text", text }]
    return json({ ...head, content, stop_reason: "end_turn", usage: { ...usage, output_tokens: output } })
  }
  const message = { ...head, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } }
  const delta = { stop_reason: "end_turn", stop_sequence: null }
  const all = [
    { type: "message_start", message },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    ...words.map((word) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: word } })),
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta, usage: { ...usage, output_tokens: output } },
    { type: "message_stop" },
  ]
  return events(all.map((each) => event(each)))
}

function generate({ id, model, words, text, input, output, isStream, isSse }: Content): DemoResponse {
  const chunk = (chunkText: string, last: boolean) => ({
    candidates: [
      { content: { role: "model", parts: [{ text: chunkText }] }, index: 0, ...(last && { finishReason: "STOP" }) },
    ],
    usageMetadata: { promptTokenCount: input, candidatesTokenCount: output, totalTokenCount: input + output },
    modelVersion: model,
    responseId: id,
  })
  if (!isStream) return json(chunk(text, true))
  const chunks = words.map((word, at) => JSON.stringify(chunk(word, at === words.length - 1)))
  if (isSse) return events(chunks.map((each) => `data: ${each}\r\n\r\n`))
  const pieces = chunks.map((each, at) => `${at === 0 ? "[" : ",\r\n"}${each}`)
  return { status: 200, contentType: "application/json; charset=UTF-8", pieces: [...pieces, "]"] }
}

function embeddings({ model, input, body }: Content): DemoResponse {
  const vector = [0.25, -0.5, 0.125, 0.75]
  const embedding =
    body["encoding_format"] === "base64" ? Buffer.from(Float32Array.from(vector).buffer).toString("base64") : vector
  const inputs = Array.isArray(body["input"]) ? body["input"] : [body["input"]]
  const list = inputs.map((_, index) => ({ object: "embedding", index, embedding }))
  return json({ object: "list", data: list, model, usage: { prompt_tokens: input, total_tokens: input } })
}

function json(value: unknown): DemoResponse {
  return { status: 200, contentType: "application/json", pieces: [JSON.stringify(value)] }
}

function events(pieces: readonly string[]): DemoResponse {
  return { status: 200, contentType: "text/event-stream; charset=utf-8", pieces }
}

type Event = Readonly<Record<string, unknown>> & { readonly type: string }

function event(value: Event): string {
  return `event: ${value.type}\n${data(value)}`
}

function data(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`
}

const TEXT_KEYS: readonly string[] = ["content", "text", "input", "prompt", "system", "instructions"]

/** Returns all text that a request sends to the model. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map((item) => (typeof item === "string" ? item : textOf(item))).join("")
  if (typeof value !== "object" || value === null) return ""
  return Object.entries(value)
    .map(([key, inner]) => (typeof inner !== "string" ? textOf(inner) : TEXT_KEYS.includes(key) ? inner : ""))
    .join("")
}

function toTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / 4))
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}
