import { type Ask, type Made, textPieces, whole } from "./_shape.ts"

const CREATED = 1_760_000_000

/** Returns OpenAI's response to a path (without `/v1`) in the shapes of its SDK, or undefined for other paths. */
export function openai(ask: Ask): Made | undefined {
  const { path, body, model, tokens } = ask
  if (path.endsWith("/chat/completions")) return body["stream"] === true ? chatStream(ask) : text(ask, chatWhole(ask))
  if (path.endsWith("/completions")) return body["stream"] === true ? completionStream(ask) : text(ask, completion(ask))
  if (path.endsWith("/embeddings")) {
    const inputs = Array.isArray(body["input"]) ? body["input"] : [body["input"]]
    const data = inputs.map((_, index) => ({ object: "embedding", index, embedding: embeddingOf(body) }))
    return text(ask, {
      object: "list",
      data,
      model,
      ...usage(ask, { prompt_tokens: tokens.input, total_tokens: tokens.input }),
    })
  }
  if (path.endsWith("/moderations")) {
    return text(ask, {
      id: `modr-${ask.id}`,
      model,
      results: [{ flagged: false, categories: {}, category_scores: {} }],
    })
  }
  if (path.endsWith("/models")) {
    const one = { id: "gpt-4o-mini", object: "model", created: CREATED, owned_by: "system" }
    return text(ask, { object: "list", data: [one] })
  }
  if (path.includes("/models/")) return text(ask, { id: model, object: "model", created: CREATED, owned_by: "system" })
  return undefined
}

/** The usage object of chat completions. */
export function chatUsage({ tokens }: Ask): Record<string, unknown> {
  return {
    prompt_tokens: tokens.input,
    completion_tokens: tokens.output,
    total_tokens: tokens.input + tokens.output,
    prompt_tokens_details: {
      cached_tokens: tokens.cached,
      audio_tokens: 0,
      ...(tokens.cacheWrite > 0 ? { cache_write_tokens: tokens.cacheWrite } : {}),
    },
    completion_tokens_details: {
      reasoning_tokens: tokens.reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}

/** Returns `{ usage }`, or an empty object if the script has no usage. */
export function usage({ script }: Ask, made: Record<string, unknown>): { readonly usage?: unknown } {
  return script.usage === false ? {} : { usage: script.usage ?? made }
}

/** Formats JSON with the spacing that the script asks for. */
export function spell({ script }: Ask, value: unknown): string {
  if (!script.spacedJson) return JSON.stringify(value)
  return JSON.stringify(value, null, 1)
    .replace(/\n\s*/g, " ")
    .replace(/([[{]) /g, "$1")
    .replace(/ ([\]}])/g, "$1")
}

function text(ask: Ask, value: unknown): Made {
  return { ...whole(value), pieces: [spell(ask, value)] }
}

function chatWhole(ask: Ask): unknown {
  const message = { role: "assistant", content: ask.text, refusal: null, annotations: [] }
  return {
    id: `chatcmpl-${ask.id}`,
    object: "chat.completion",
    created: CREATED,
    model: ask.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
    ...usage(ask, chatUsage(ask)),
    service_tier: ask.script.serviceTier ?? "default",
    system_fingerprint: "fp_far_side",
  }
}

function completion(ask: Ask): unknown {
  const { tokens } = ask
  const counts = {
    prompt_tokens: tokens.input,
    completion_tokens: tokens.output,
    total_tokens: tokens.input + tokens.output,
  }
  return {
    id: `cmpl-${ask.id}`,
    object: "text_completion",
    created: CREATED,
    model: ask.model,
    choices: [{ text: ask.text, index: 0, logprobs: null, finish_reason: "stop" }],
    ...usage(ask, counts),
  }
}

function chatStream(ask: Ask): Made {
  const head = {
    id: `chatcmpl-${ask.id}`,
    object: "chat.completion.chunk",
    created: CREATED,
    model: ask.model,
    service_tier: ask.script.serviceTier ?? "default",
    system_fingerprint: "fp_far_side",
  }
  const choice = (delta: unknown, finish: string | null) => [{ index: 0, delta, logprobs: null, finish_reason: finish }]
  return stream(ask, {
    head,
    choices: [
      choice({ role: "assistant", content: "", refusal: null }, null),
      ...textPieces(ask).map((content) => choice({ content }, null)),
      choice({}, "stop"),
    ],
    counts: chatUsage(ask),
    pad: true,
  })
}

function completionStream(ask: Ask): Made {
  const { tokens } = ask
  const counts = {
    prompt_tokens: tokens.input,
    completion_tokens: tokens.output,
    total_tokens: tokens.input + tokens.output,
  }
  const head = { id: `cmpl-${ask.id}`, object: "text_completion", created: CREATED, model: ask.model }
  const choice = (said: string, finish: string | null) => [
    { text: said, index: 0, logprobs: null, finish_reason: finish },
  ]
  const choices = [...textPieces(ask).map((said) => choice(said, null)), choice("", "stop")]
  return stream(ask, { head, choices, counts, pad: false })
}

interface StreamParts {
  readonly head: Readonly<Record<string, unknown>>
  readonly choices: readonly unknown[]
  readonly counts: Record<string, unknown>
  /** `obfuscation`, which the real API puts after `usage` in chat streams. */
  readonly pad: boolean
}

/**
 * With `stream_options.include_usage`, every chunk has `usage: null`, and one more chunk without choices has the usage.
 * Without it, there is neither.
 */
function stream(ask: Ask, { head, choices, counts, pad }: StreamParts): Made {
  const asked = (ask.body["stream_options"] as { include_usage?: unknown } | undefined)?.include_usage === true
  const end = ask.script.lineEnd ?? "\n"
  const event = (json: unknown) => `data: ${typeof json === "string" ? json : spell(ask, json)}${end}${end}`
  const padding = (at: number) => (pad ? { obfuscation: "abcdefghij".slice(0, 1 + (at % 10)) } : {})
  const pieces = choices.map((choice, at) =>
    event({ ...head, choices: choice, ...(asked ? { usage: null } : {}), ...padding(at) }),
  )
  if (asked && ask.script.usage !== false) {
    pieces.push(event({ ...head, choices: [], ...usage(ask, counts), ...padding(choices.length) }))
  }
  pieces.push(event("[DONE]"))
  return { status: 200, contentType: "text/event-stream; charset=utf-8", pieces, stream: true }
}

function embeddingOf(body: Readonly<Record<string, unknown>>): unknown {
  const vector = [0.25, -0.5, 0.125, 0.75]
  return body["encoding_format"] === "base64"
    ? Buffer.from(Float32Array.from(vector).buffer).toString("base64")
    : vector
}
