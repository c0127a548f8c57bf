import { describe, expect, test } from "vitest"
import { type Reading, toTokenTotals } from "../../src/core/usage.ts"
import type { Format } from "../../src/providers/catalog.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { openMeter } from "../support/meter.ts"

interface Stream {
  readonly format: Format
  readonly path: string
  readonly events: readonly unknown[]
  readonly isComplete?: boolean
  /** The events are the elements of one JSON array. */
  readonly isArray?: boolean
}

const REQUEST = { model: "some-model", messages: [{ role: "user", content: "Say hello to the world" }] }
const WORDS = "some words ".repeat(20)
/** 220 characters, four per token. */
const WORD_TOKENS = 55
const ARGUMENTS = JSON.stringify({ text: "x".repeat(289) })
/** 300 characters, three per token. */
const ARGUMENT_TOKENS = 100

function read({ format, path, events, isComplete = false, isArray = false }: Stream): Reading {
  const request = {
    provider: format,
    method: "POST",
    path,
    query: "",
    headers: {},
    body: Buffer.from(JSON.stringify(REQUEST)),
    host: "provider.test",
  }
  const contentType = isArray ? "application/json" : "text/event-stream"
  const meter = openMeter(DIALECTS[format], request, { statusCode: 200, contentType, isChunked: true })!
  const text = isArray
    ? JSON.stringify(events)
    : events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`).join("")
  meter.push(Buffer.from(text))
  return meter.end({ complete: isComplete })
}

function outputOf(stream: Stream): number {
  const reading = read(stream)
  expect(reading.source).toBe("estimated")
  return toTokenTotals(reading.parts).outputTokens
}

const CHAT = { format: "openai", path: "/v1/chat/completions" } as const
const RESPONSES = { format: "openai", path: "/v1/responses" } as const
const MESSAGES = { format: "anthropic", path: "/v1/messages" } as const
const GEMINI = { format: "gemini", path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent" } as const

const chat = (delta: unknown) => ({ model: "some-model", choices: [{ index: 0, delta }], usage: null })
const start = {
  type: "message_start",
  message: { model: "claude-sonnet-4-5", usage: { input_tokens: 9, output_tokens: 1 } },
}
const block = (content_block: unknown) => ({ type: "content_block_start", index: 0, content_block })
const blockDelta = (delta: unknown) => ({ type: "content_block_delta", index: 0, delta })
const parts = (...all: unknown[]) => ({ modelVersion: "gemini-2.5-flash", candidates: [{ content: { parts: all } }] })
const added = (item: unknown) => ({ type: "response.output_item.added", item })

describe("a stream that is cut off is estimated from all that was generated", () => {
  test("chat: text, reasoning, refusal, and tool calls with their names", () => {
    expect(outputOf({ ...CHAT, events: [chat({ content: WORDS })] })).toBe(WORD_TOKENS)
    expect(outputOf({ ...CHAT, events: [chat({ content: null, reasoning_content: WORDS })] })).toBe(WORD_TOKENS)
    expect(outputOf({ ...CHAT, events: [chat({ content: null, refusal: WORDS })] })).toBe(WORD_TOKENS)
    const first = chat({ tool_calls: [{ index: 0, function: { name: "get_weather1", arguments: "" } }] })
    const rest = chat({ tool_calls: [{ index: 0, function: { arguments: ARGUMENTS } }] })
    expect(outputOf({ ...CHAT, events: [first, rest] })).toBe(3 + 8 + ARGUMENT_TOKENS)
  })

  test("legacy completions: text", () => {
    const events = [{ model: "some-model", choices: [{ text: WORDS }] }]
    expect(outputOf({ format: "openai", path: "/v1/completions", events })).toBe(WORD_TOKENS)
  })

  test("Responses: text, reasoning summaries, arguments, and calls with their names, each once", () => {
    const text = { type: "response.output_text.delta", delta: WORDS }
    const done = { type: "response.output_text.done", text: WORDS }
    const summary = { type: "response.reasoning_summary_text.delta", delta: WORDS }
    expect(outputOf({ ...RESPONSES, events: [summary, text, done] })).toBe(2 * WORD_TOKENS)
    const call = { type: "function_call", name: "get_weather1", arguments: "" }
    const arguments_ = { type: "response.function_call_arguments.delta", delta: WORDS }
    const item = { type: "response.output_item.done", item: { ...call, arguments: WORDS } }
    expect(outputOf({ ...RESPONSES, events: [added(call), arguments_, item] })).toBe(3 + 8 + WORD_TOKENS)
  })

  test("Messages: text, thinking, and tool calls with their names and arguments, but no results of tools", () => {
    const text = blockDelta({ type: "text_delta", text: WORDS })
    const thinking = blockDelta({ type: "thinking_delta", thinking: WORDS })
    expect(outputOf({ ...MESSAGES, events: [start, thinking, text] })).toBe(2 * WORD_TOKENS)
    const tool = block({ type: "tool_use", id: "t", name: "get_weather1", input: {} })
    const input = blockDelta({ type: "input_json_delta", partial_json: ARGUMENTS })
    expect(outputOf({ ...MESSAGES, events: [start, tool, input] })).toBe(3 + 38 + ARGUMENT_TOKENS)
    const result = block({ type: "mcp_tool_result", tool_use_id: "t", content: [{ type: "text", text: WORDS }] })
    expect(outputOf({ ...MESSAGES, events: [start, result, text] })).toBe(WORD_TOKENS)
  })

  test.each([false, true])("Gemini: text, thoughts, code and function calls, as an array: %s", (isArray) => {
    const stream = { ...GEMINI, isArray }
    const events = [parts({ text: WORDS, thought: true }), parts({ text: WORDS })]
    expect(outputOf({ ...stream, events })).toBe(2 * WORD_TOKENS)
    const call = { functionCall: { name: "get_weather1", args: { text: "x".repeat(289) } } }
    expect(outputOf({ ...stream, events: [parts({ text: WORDS }, call)] })).toBe(WORD_TOKENS + 3 + 8 + ARGUMENT_TOKENS)
    expect(outputOf({ ...stream, events: [parts({ text: WORDS }, { text: WORDS })] })).toBe(2 * WORD_TOKENS)
    expect(outputOf({ ...stream, events: [parts({ executableCode: { code: WORDS } })] })).toBe(WORD_TOKENS)
  })

  test("Gemini: what a chunk reported is kept, and only the output after it is estimated", () => {
    const usageMetadata = { promptTokenCount: 9, candidatesTokenCount: 70, totalTokenCount: 79 }
    const reported = { ...parts({ text: WORDS }), usageMetadata }
    expect(outputOf({ ...GEMINI, events: [reported] })).toBe(70)
    expect(outputOf({ ...GEMINI, events: [reported, parts({ text: WORDS })] })).toBe(70 + WORD_TOKENS)
    const prompt = { ...parts({ text: WORDS }), usageMetadata: { promptTokenCount: 9, totalTokenCount: 9 } }
    expect(outputOf({ ...GEMINI, events: [prompt, prompt] })).toBe(2 * WORD_TOKENS)
  })
})

describe("a complete stream without usage", () => {
  const withoutUsage: readonly Stream[] = [
    { ...CHAT, events: [chat({ content: WORDS }), "[DONE]"] },
    { format: "openai", path: "/v1/completions", events: [{ choices: [{ text: WORDS }] }] },
    { ...RESPONSES, events: [{ type: "response.output_text.delta", delta: WORDS }] },
    {
      ...MESSAGES,
      events: [
        { type: "message_start", message: { model: "m" } },
        blockDelta({ type: "text_delta", text: WORDS }),
        { type: "message_delta", delta: { stop_reason: "end_turn" } },
      ],
    },
    { ...GEMINI, events: [{ candidates: [{ content: { parts: [{ text: WORDS }] }, finishReason: "STOP" }] }] },
    { format: "anthropic", path: "/v1/chat/completions", events: [chat({ content: WORDS })] },
    { format: "gemini", path: "/v1beta/openai/chat/completions", events: [chat({ content: WORDS })] },
  ]

  test.each(withoutUsage)("is estimated, input included, and says so: $format $path", (stream) => {
    const reading = read({ ...stream, isComplete: true })
    expect(reading).toMatchObject({ source: "estimated", raw: { estimated_from_text: { tokenizer: "characters" } } })
    expect(toTokenTotals(reading.parts).outputTokens).toBe(WORD_TOKENS)
    expect(toTokenTotals(reading.parts).inputTokens).toBeGreaterThan(5)
  })

  test.each(withoutUsage)("has no reading if nothing was generated: $format $path", (stream) => {
    const error = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
    expect(read({ ...stream, events: [error], isComplete: true }).source).not.toBe("estimated")
  })

  test("of Messages keeps the input that its start reported", () => {
    const events = [start, blockDelta({ type: "text_delta", text: WORDS }), { type: "message_delta", delta: {} }]
    const reading = read({ ...MESSAGES, events, isComplete: true })
    expect(reading.source).toBe("estimated")
    expect(toTokenTotals(reading.parts)).toMatchObject({ inputTokens: 9, outputTokens: WORD_TOKENS })
  })

  test("of Messages is estimated where only the output was reported", () => {
    const delta = { type: "message_delta", delta: {}, usage: { output_tokens: 50 } }
    const events = [{ type: "message_start", message: {} }, blockDelta({ type: "text_delta", text: WORDS }), delta]
    const reading = read({ ...MESSAGES, events, isComplete: true })
    expect(reading.source).toBe("estimated")
    expect(toTokenTotals(reading.parts).outputTokens).toBe(50)
    expect(toTokenTotals(reading.parts).inputTokens).toBeGreaterThan(5)
  })

  test("cannot pretend that the gateway has counted it", () => {
    const usage = { prompt_tokens: 3, completion_tokens: 4, estimated_from_text: { input_tokens: 1, output_tokens: 1 } }
    const reading = read({ ...CHAT, events: [chat({ content: "a" }), { choices: [], usage }], isComplete: true })
    expect(reading.source).toBe("reported")
    expect(toTokenTotals(reading.parts)).toMatchObject({ inputTokens: 3, outputTokens: 4 })
  })
})

interface Whole {
  readonly format: Format
  readonly path: string
  readonly answer: unknown
}

function readWhole({ format, path, answer }: Whole, request: unknown = REQUEST): Reading {
  const exchange = {
    provider: format,
    method: "POST",
    path,
    query: "",
    headers: {},
    body: Buffer.from(JSON.stringify(request)),
    host: "provider.test",
  }
  const meter = openMeter(DIALECTS[format], exchange, { statusCode: 200, contentType: "application/json" })!
  meter.push(Buffer.from(JSON.stringify(answer)))
  return meter.end({ complete: true })
}

const whole = { ...GEMINI, path: "/v1beta/models/gemini-2.5-flash:generateContent" }
const call = { name: "get_weather1", arguments: ARGUMENTS }
const CALL_TOKENS = 3 + 8 + ARGUMENT_TOKENS

describe("a whole answer without usage", () => {
  test.each<[string, Whole, number]>([
    ["chat", { ...CHAT, answer: { choices: [{ message: { content: WORDS } }] } }, WORD_TOKENS],
    [
      "chat with reasoning, parts and a refusal",
      {
        ...CHAT,
        answer: { choices: [{ message: { content: [{ text: WORDS }], reasoning_content: WORDS, refusal: WORDS } }] },
      },
      3 * WORD_TOKENS,
    ],
    [
      "chat with a tool call",
      { ...CHAT, answer: { choices: [{ message: { tool_calls: [{ function: call }] } }] } },
      CALL_TOKENS,
    ],
    ["completions", { format: "openai", path: "/v1/completions", answer: { choices: [{ text: WORDS }] } }, WORD_TOKENS],
    [
      "Responses",
      {
        ...RESPONSES,
        answer: {
          output: [
            { type: "message", content: [{ type: "output_text", text: WORDS }] },
            { type: "function_call", ...call },
          ],
        },
      },
      WORD_TOKENS + CALL_TOKENS,
    ],
    [
      "Messages",
      {
        ...MESSAGES,
        answer: {
          type: "message",
          model: "some-model",
          content: [
            { type: "thinking", thinking: WORDS },
            { type: "text", text: WORDS },
            { type: "tool_use", name: "get_weather1", input: JSON.parse(ARGUMENTS) },
          ],
        },
      },
      2 * WORD_TOKENS + CALL_TOKENS,
    ],
    ["Gemini", { ...whole, answer: parts({ text: WORDS }) }, WORD_TOKENS],
  ])("is estimated from all that it contains, and says so: %s", (_, exchange, tokens) => {
    const reading = readWhole(exchange)
    expect(reading.source).toBe("estimated")
    const { inputTokens, outputTokens } = toTokenTotals(reading.parts)
    expect(Math.abs(outputTokens - tokens)).toBeLessThanOrEqual(2)
    expect(inputTokens).toBeGreaterThan(5)
  })

  test.each<Whole>([
    { format: "openai", path: "/v1/embeddings", answer: { data: [{ embedding: [1] }], model: "m" } },
    {
      format: "gemini",
      path: "/v1beta/models/gemini-embedding-001:embedContent",
      answer: { embedding: { values: [1] } },
    },
    {
      format: "gemini",
      path: "/v1beta/models/gemini-embedding-001:batchEmbedContents",
      answer: { embeddings: [{ values: [1] }] },
    },
  ])("of embeddings is estimated from the request: $path", (exchange) => {
    const reading = readWhole(exchange)
    expect(reading.source).toBe("estimated")
    expect(toTokenTotals(reading.parts)).toMatchObject({ outputTokens: 0 })
    expect(toTokenTotals(reading.parts).inputTokens).toBeGreaterThan(5)
  })

  test.each<Whole>([
    { ...CHAT, answer: { error: { message: "no" } } },
    { ...RESPONSES, answer: { status: "queued", output: [] } },
    { ...MESSAGES, answer: { type: "error", error: { message: "no" } } },
    { ...whole, answer: { promptFeedback: { blockReason: "SAFETY" } } },
    { format: "openai", path: "/v1/embeddings", answer: { data: [] } },
  ])("has no reading if nothing was generated: $path", (exchange) => {
    expect(readWhole(exchange).source).toBe("none")
  })
})

describe("hidden reasoning", () => {
  test("is estimated by the length of its encrypted form, and the row says so", () => {
    const item = { type: "reasoning", summary: [], encrypted_content: "x".repeat(1000 + 720) }
    const done = { type: "response.output_item.done", item }
    const text = { type: "response.output_text.delta", delta: WORDS }
    const reading = read({ ...RESPONSES, events: [added({ type: "reasoning" }), done, text] })
    expect(toTokenTotals(reading.parts)).toMatchObject({ outputTokens: WORD_TOKENS + 100, reasoningTokens: 100 })
    expect(reading.missing).toEqual(["the tokens of hidden reasoning are estimated"])
  })

  test("is estimated in proportion to the text where only its item is in the stream", () => {
    const first = { type: "response.created", response: { model: "gpt-5-mini" } }
    const text = { type: "response.output_text.delta", delta: WORDS }
    const reading = read({ ...RESPONSES, events: [first, added({ type: "reasoning" }), text] })
    const { reasoningTokens, outputTokens } = toTokenTotals(reading.parts)
    expect(reasoningTokens).toBe(Math.round((outputTokens - reasoningTokens) * 4.9))
  })

  test("is 0 where nothing says that the model reasoned", () => {
    const text = { type: "response.output_text.delta", delta: WORDS }
    expect(toTokenTotals(read({ ...RESPONSES, events: [text] }).parts).reasoningTokens).toBe(0)
  })

  test("is not in the sum where chat does not show it, and the row says so", () => {
    const chunk = { ...chat({ content: WORDS }), model: "o4-mini" }
    expect(read({ ...CHAT, events: [chunk] }).missing).toEqual([
      "the tokens of hidden reasoning are not known, and not in the sum",
    ])
  })

  test("of Messages and of Gemini is estimated by the length of its signature", () => {
    const signature = blockDelta({ type: "signature_delta", signature: "x".repeat(250 + 590) })
    const messages = read({ ...MESSAGES, events: [start, signature, blockDelta({ type: "text_delta", text: WORDS })] })
    expect(toTokenTotals(messages.parts).outputTokens).toBe(WORD_TOKENS + 100)
    const answer = parts({ text: WORDS, thoughtSignature: "x".repeat(80 + 610) })
    expect(toTokenTotals(readWhole({ ...whole, answer }).parts)).toMatchObject({ reasoningTokens: 100 })
  })
})

describe("a run that Mistral starts by creating a conversation", () => {
  const path = "/v1/conversations"
  test("is never free: whole, streamed, with and without usage", () => {
    const outputs = [{ type: "message.output", content: WORDS }]
    const usage = { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 }
    const format = "openai" as const
    expect(readWhole({ format, path, answer: { outputs, usage } })).toMatchObject({ free: false, source: "reported" })
    expect(readWhole({ format, path, answer: { outputs } })).toMatchObject({ free: false, source: "none" })
    const events = [{ type: "conversation.response.started" }, { type: "message.output.delta", content: WORDS }]
    expect(read({ format, path, events })).toMatchObject({ free: false })
  })

  test("is not confused with a conversation that is only kept", () => {
    const answer = { id: "conv_1", object: "conversation" }
    expect(readWhole({ format: "openai", path, answer })).toMatchObject({ free: true })
  })
})
