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
