import { describe, expect, test } from "vitest"
import { readAll, toCsvText } from "./_read.ts"

const HELICONE = {
  response_id: "3c3ba5b5-0c0f-4d66-a0f5-bb2c1a4b3d10",
  response_created_at: "2026-11-02T10:00:02.000Z",
  response_status: 200,
  response_model: "claude-sonnet-4-6",
  request_id: "0e5a1c9e-1111-4222-8333-444455556666",
  request_created_at: "2026-11-02T10:00:00.000Z",
  request_path: "https://api.anthropic.com/v1/messages?beta=true",
  request_user_id: "anna",
  request_properties: { Feature: "search", "Helicone-Session-Id": "s-1" },
  request_model: "claude-sonnet-4-6",
  provider: "ANTHROPIC",
  delay_ms: 1500,
  time_to_first_token: 200,
  total_tokens: 1500,
  prompt_tokens: 600,
  prompt_cache_read_tokens: 300,
  prompt_cache_write_tokens: 100,
  completion_tokens: 500,
  costUSD: 0.0105,
  cache_reference_id: "00000000-0000-0000-0000-000000000000",
  model: "claude-sonnet-4-6",
}
const HELICONE_REQUEST = {
  id: HELICONE.request_id,
  startedAt: Date.parse("2026-11-02T10:00:00.000Z"),
  endedAt: Date.parse("2026-11-02T10:00:01.500Z"),
  firstByteMs: 200,
  provider: "anthropic",
  model: "claude-sonnet-4-6",
  requestedModel: "claude-sonnet-4-6",
  path: "/v1/messages",
  tokens: { input: 600, cacheRead: 300, cacheWrite: 100, cacheWrite1h: 0, output: 500, reasoning: 0 },
  cost: { total: "0.0105" },
  free: undefined,
  statusCode: 200,
  isStreamed: true,
  metadata: { "User-Id": "anna", Feature: "search", "Session-Id": "s-1" },
}

const LANGFUSE = {
  id: "obs-1",
  traceId: "trace-1",
  type: "GENERATION",
  name: "answer",
  startTime: "2026-11-02T10:00:00.000Z",
  endTime: "2026-11-02T10:00:03.000Z",
  completionStartTime: "2026-11-02T10:00:00.500Z",
  model: "gpt-4o",
  level: "DEFAULT",
  userId: "anna",
  sessionId: "s-1",
  environment: "production",
  tags: ["a", "b"],
  usageDetails: { input: 600, input_cached_tokens: 400, output: 400, output_reasoning_tokens: 100, total: 1500 },
  costDetails: {
    input: 0.0015,
    input_cached_tokens: 0.0005,
    output: 0.004,
    output_reasoning_tokens: 0.001,
    total: 0.007,
  },
  totalCost: 0.007,
}
const LANGFUSE_REQUEST = {
  id: "obs-1",
  startedAt: Date.parse("2026-11-02T10:00:00.000Z"),
  endedAt: Date.parse("2026-11-02T10:00:03.000Z"),
  firstByteMs: 500,
  provider: "openai",
  model: "gpt-4o",
  path: "/",
  tokens: { input: 600, cacheRead: 400, cacheWrite: 0, cacheWrite1h: 0, output: 400, reasoning: 100 },
  cost: { total: "0.007", input: "0.002", output: "0.005" },
  free: undefined,
  statusCode: 200,
  error: undefined,
  isStreamed: true,
  metadata: {
    "User-Id": "anna",
    "Session-Id": "s-1",
    "Trace-Id": "trace-1",
    "Span-Name": "answer",
    Environment: "production",
    Tags: "a, b",
  },
}

/** The columns of the CSV of OpenRouter's page Activity. */
const OPENROUTER = {
  generation_id: "gen-1762077600-abc",
  created_at: "2026-11-02 10:00:00.713",
  cost_total: 0.0123,
  cost_web_search: 0,
  cost_cache: -0.001,
  cost_file_processing: 0,
  byok_usage_inference: 0,
  tokens_prompt: 1000,
  tokens_completion: 500,
  tokens_reasoning: 100,
  tokens_cached: 400,
  model_permaslug: "openai/gpt-4.1-2025-04-14",
  provider_name: "OpenAI",
  variant: "standard",
  cancelled: false,
  streamed: true,
  user: "anna",
  finish_reason_normalized: "stop",
  generation_time_ms: 1200,
  time_to_first_token_ms: 300,
  api_key_name: "search",
  app_name: "Shop",
}
const OPENROUTER_REQUEST = {
  id: "gen-1762077600-abc",
  startedAt: Date.parse("2026-11-02T10:00:00.713Z"),
  endedAt: Date.parse("2026-11-02T10:00:01.913Z"),
  firstByteMs: 300,
  provider: "openrouter",
  model: "openai/gpt-4.1-2025-04-14",
  path: "/api/v1/chat/completions",
  tokens: { input: 600, cacheRead: 400, cacheWrite: 0, cacheWrite1h: 0, output: 400, reasoning: 100 },
  cost: { total: "0.0123" },
  free: undefined,
  statusCode: 200,
  error: undefined,
  isStreamed: true,
  metadata: { "User-Id": "anna", "Api-Key": "search", App: "Shop", Upstream: "OpenAI" },
}

const toSnakeCase = (record: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(record).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  )

describe("a request of Helicone", () => {
  test.each([
    ["JSON lines", JSON.stringify(HELICONE)],
    ["a JSON array", JSON.stringify([HELICONE], null, 2)],
    ["an answer of its API", JSON.stringify({ data: [HELICONE], error: null })],
    ["CSV", toCsvText([HELICONE])],
  ])("is the same as %s", async (_, text) => {
    expect(await readAll("helicone", text)).toEqual([HELICONE_REQUEST])
  })

  test.each([
    [{ cache_reference_id: HELICONE.request_id }, { free: "Helicone answered from its own cache" }],
    [{ response_status: 429 }, { statusCode: 429, free: "the request failed without usage" }],
    [{ response_status: -3 }, { statusCode: 502 }],
    [{ costUSD: null }, { cost: { total: undefined } }],
    [{ provider: null }, { provider: "anthropic" }],
  ])("with %o has %o", async (changes, expected) => {
    expect(await readAll("helicone", JSON.stringify({ ...HELICONE, ...changes }))).toMatchObject([expected])
  })

  test("a tool is no request", async () => {
    const tool = { ...HELICONE, request_body: { _type: "tool" } }
    expect(await readAll("helicone", JSON.stringify(tool))).toEqual([
      "skipped: tools and databases, which reach no model",
    ])
  })
})

describe("an observation of Langfuse", () => {
  const exported = {
    ...toSnakeCase(LANGFUSE),
    provided_model_name: "gpt-4o",
    model: null,
    start_time: "2026-11-02 10:00:00.000000",
    end_time: "2026-11-02 10:00:03.000000",
    completion_start_time: "2026-11-02 10:00:00.500000",
  }
  test.each([
    ["a page of its API", JSON.stringify({ data: [LANGFUSE], meta: { page: 1 } })],
    ["JSON lines of blob storage", JSON.stringify(exported)],
    ["CSV of blob storage", toCsvText([exported])],
    ["CSV of a table", toCsvText([LANGFUSE])],
  ])("is the same request as %s", async (_, text) => {
    expect(await readAll("langfuse", text)).toEqual([LANGFUSE_REQUEST])
  })

  test.each([
    [
      "counts without overlap",
      { input: 600, input_cached_tokens: 400, output: 500 },
      { input: 600, cacheRead: 400, output: 500 },
    ],
    [
      "a prompt that includes the cache",
      { input: 1000, cache_read_input_tokens: 400, output: 500, total: 1500 },
      { input: 600, cacheRead: 400, output: 500 },
    ],
    [
      "the names of Anthropic",
      { input: 100, cache_read_input_tokens: 400, cache_creation_input_tokens: 50, output: 500, total: 1050 },
      { input: 100, cacheRead: 400, cacheWrite: 50, output: 500 },
    ],
    [
      "the names of OpenAI",
      { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 },
      { input: 100, output: 50 },
    ],
    ["sound", { input: 100, input_audio_tokens: 20, output: 50, total: 170 }, { input: 120, output: 50 }],
  ])("has %s", async (_, usageDetails, tokens) => {
    const none = { input: 0, cacheRead: 0, cacheWrite: 0, cacheWrite1h: 0, output: 0, reasoning: 0 }
    expect(await readAll("langfuse", JSON.stringify({ ...LANGFUSE, usageDetails }))).toMatchObject([
      { tokens: { ...none, ...tokens } },
    ])
  })

  test("a span is no request, and an error has its message", async () => {
    const lines = [
      { ...LANGFUSE, type: "SPAN" },
      { ...LANGFUSE, level: "ERROR", statusMessage: "overloaded" },
    ]
    expect(await readAll("langfuse", lines.map((line) => JSON.stringify(line)).join("\n"))).toMatchObject([
      "skipped: observations that are no call of a model",
      { statusCode: 500, error: "overloaded" },
    ])
  })

  test("a cost is not divided into sides that do not add up to it", async () => {
    expect(await readAll("langfuse", JSON.stringify({ ...LANGFUSE, totalCost: 0.009 }))).toMatchObject([
      { cost: { total: "0.009" } },
    ])
  })
})

describe("a generation of OpenRouter", () => {
  test("is a line of its CSV", async () => {
    expect(await readAll("openrouter", toCsvText([OPENROUTER]))).toEqual([OPENROUTER_REQUEST])
  })

  test("is an answer of its API, with the tokens that are billed", async () => {
    const answer = {
      id: "gen-1",
      created_at: "2026-11-02T10:00:00.713+00:00",
      total_cost: 0.0123,
      model: "openai/gpt-4.1",
      tokens_prompt: 900,
      tokens_completion: 400,
      native_tokens_prompt: 1000,
      native_tokens_completion: 500,
      native_tokens_reasoning: 100,
      native_tokens_cached: 400,
      generation_time: 1200,
    }
    expect(await readAll("openrouter", JSON.stringify(answer))).toMatchObject([
      {
        id: "gen-1",
        tokens: OPENROUTER_REQUEST.tokens,
        cost: { total: "0.0123" },
        endedAt: OPENROUTER_REQUEST.endedAt,
      },
    ])
  })

  test("a cost of 0 is what OpenRouter has charged", async () => {
    expect(await readAll("openrouter", toCsvText([{ ...OPENROUTER, cost_total: 0 }]))).toMatchObject([
      { free: "OpenRouter has charged nothing" },
    ])
  })

  test("sums of a day are rejected, because they are not requests", async () => {
    const activity = {
      data: [{ date: "2026-11-02", model: "openai/gpt-4.1", usage: 0.015, requests: 5, prompt_tokens: 50 }],
    }
    expect(await readAll("openrouter", JSON.stringify(activity))).toEqual([
      expect.stringContaining("line 1: the line is the sum of several requests"),
    ])
  })
})

describe("a row of the Go gateway", () => {
  const row = {
    id: "6f1f9d8e-7f0a-4c38-9a53-1c1a2b3c4d5e",
    provider: "anthropic",
    model: "claude-sonnet-4-6",
    request_path: "/v1/messages",
    request_method: "POST",
    requested_at: "2026-11-02T10:00:00+00:00",
    responded_at: "2026-11-02T10:00:01.5+00:00",
    response_time_ms: 1500,
    input_tokens: 1000,
    output_tokens: 500,
    cached_tokens: 400,
    cache_creation_tokens: 100,
    input_cost: 0.0015,
    output_cost: 0.0075,
    total_cost: 0.009,
    status_code: 200,
    error_message: null,
    raw_metadata: { "user-id": "anna", feature: "search" },
  }
  const tokens = { input: 500, cacheRead: 400, cacheWrite: 100, cacheWrite1h: 0, output: 500, reasoning: 0 }

  test("of the first version has its cost and its metadata, with the gateway's names", async () => {
    expect(await readAll("go", JSON.stringify(row))).toMatchObject([
      {
        startedAt: Date.parse("2026-11-02T10:00:00Z"),
        endedAt: Date.parse("2026-11-02T10:00:01.500Z"),
        tokens,
        cost: { total: "0.009", output: "0.0075" },
        metadata: { "User-Id": "anna", Feature: "search" },
      },
    ])
  })

  test("of the second version has its run, and writes to the cache that last an hour", async () => {
    const second = {
      ...row,
      cache_creation_1h_tokens: 60,
      trace_id: "t-1",
      span_path: "plan/tool",
      span_name: "search",
    }
    expect(await readAll("go", JSON.stringify(second))).toMatchObject([
      {
        tokens: { ...tokens, cacheWrite: 40, cacheWrite1h: 60 },
        metadata: { "Trace-Id": "t-1", "Span-Path": "plan/tool", "Span-Name": "search" },
      },
    ])
  })
})
