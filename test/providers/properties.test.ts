import { describe, expect, it } from "vitest"
import { BUCKETS, type Reading, toTokenTotals } from "../../src/core/usage.ts"
import type { Format } from "../../src/providers/catalog.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { openMeter } from "../support/meter.ts"
import { createRandom, type Random } from "./_random.ts"

const PATHS: Readonly<Record<Format, readonly string[]>> = {
  openai: [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
  ],
  anthropic: ["/v1/messages", "/v1/chat/completions"],
  bedrock: ["/model/m/converse", "/model/m/invoke"],
  gemini: ["/v1beta/models/g:generateContent", "/v1beta/models/g:embedContent", "/v1beta/interactions"],
}

function read(format: Format, path: string, text: string, contentType = "application/json", method = "POST"): Reading {
  const request = { provider: format, method, path, query: "", headers: {}, body: Buffer.alloc(0), host: "h" }
  const meter = openMeter(DIALECTS[format], request, { statusCode: 200, contentType })!
  meter.push(Buffer.from(text))
  return meter.end({ complete: true })
}

function expectSound(reading: Reading) {
  for (const part of reading.parts) {
    for (const bucket of BUCKETS) {
      expect(Number.isSafeInteger(part.usage[bucket]), `${bucket} ${part.usage[bucket]}`).toBe(true)
      expect(part.usage[bucket]).toBeGreaterThanOrEqual(0)
    }
    expect(part.contextTokens).toBeGreaterThanOrEqual(0)
  }
  const totals = toTokenTotals(reading.parts)
  expect(totals.cachedTokens + totals.cacheCreationTokens).toBeLessThanOrEqual(totals.inputTokens)
  expect(totals.cacheCreation1hTokens).toBeLessThanOrEqual(totals.cacheCreationTokens)
  expect(totals.reasoningTokens).toBeLessThanOrEqual(totals.outputTokens)
  expect(JSON.stringify(reading).length).toBeLessThan(64 * 1024)
  expect(() => JSON.parse(JSON.stringify(reading))).not.toThrow()
}

describe("usage that adds up is kept exactly", () => {
  const count = (random: Random) => (random.next() < 0.3 ? 0 : random.below(5000))

  it("OpenAI: the buckets sum to prompt_tokens and completion_tokens", () => {
    const random = createRandom(1)
    for (let i = 0; i < 2000; i++) {
      const [text, cached, written, audio, reasoning, spoken, answer] = Array.from({ length: 7 }, () =>
        count(random),
      ) as [number, number, number, number, number, number, number]
      const prompt = text + cached + written + audio
      const completion = reasoning + spoken + answer
      const usage = {
        prompt_tokens: prompt,
        completion_tokens: completion,
        total_tokens: prompt + completion,
        prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: written, audio_tokens: audio },
        completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: spoken },
      }
      const reading = read("openai", "/v1/chat/completions", JSON.stringify({ model: "m", usage }))
      expect(reading.inconsistent).toBeUndefined()
      expect(reading.parts[0]?.usage).toMatchObject({
        input: text,
        cacheRead: cached,
        cacheWrite: written,
        inputAudio: audio,
        reasoning,
        outputAudio: spoken,
        output: answer,
      })
    }
  })

  it("Anthropic: reads, both kinds of writes and the rest sum to the context", () => {
    const random = createRandom(2)
    for (let i = 0; i < 2000; i++) {
      const [input, cached, w5, w1, output] = Array.from({ length: 5 }, () => count(random)) as [
        number,
        number,
        number,
        number,
        number,
      ]
      const usage = {
        input_tokens: input,
        cache_read_input_tokens: cached,
        cache_creation_input_tokens: w5 + w1,
        output_tokens: output,
        cache_creation: { ephemeral_5m_input_tokens: w5, ephemeral_1h_input_tokens: w1 },
      }
      const reading = read("anthropic", "/v1/messages", JSON.stringify({ type: "message", model: "m", usage }))
      expect(reading.parts[0]).toMatchObject({
        usage: { input, cacheRead: cached, cacheWrite: w5, cacheWrite1h: w1, output },
        contextTokens: input + cached + w5 + w1,
      })
    }
  })

  it("Bedrock: input, reads, and writes of both lifetimes sum to the context", () => {
    const random = createRandom(8)
    for (let i = 0; i < 2000; i++) {
      const [input, cached, w5, w1, output] = Array.from({ length: 5 }, () => count(random)) as [
        number,
        number,
        number,
        number,
        number,
      ]
      const usage = {
        inputTokens: input,
        outputTokens: output,
        totalTokens: input + cached + w5 + w1 + output,
        cacheReadInputTokens: cached,
        cacheReadInputTokenCount: cached,
        cacheWriteInputTokens: w5 + w1,
        cacheWriteInputTokenCount: w5 + w1,
        cacheDetails: [
          { ttl: "1h", inputTokens: w1 },
          { ttl: "5m", inputTokens: w5 },
        ],
      }
      const reading = read("bedrock", "/model/m/converse", JSON.stringify({ output: {}, usage }))
      expect(reading.parts[0]).toMatchObject({
        usage: { input, cacheRead: cached, cacheWrite: w5, cacheWrite1h: w1, output },
        contextTokens: input + cached + w5 + w1,
      })
    }
  })

  it("Gemini: prompt and tool prompt are the input, candidates and thoughts the output", () => {
    const random = createRandom(3)
    for (let i = 0; i < 2000; i++) {
      const [text, audio, tool, thoughts, answer, image] = Array.from({ length: 6 }, () => count(random)) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ]
      const usageMetadata = {
        promptTokenCount: text + audio,
        toolUsePromptTokenCount: tool,
        thoughtsTokenCount: thoughts,
        candidatesTokenCount: answer + image,
        totalTokenCount: text + audio + tool + thoughts + answer + image,
        promptTokensDetails: [
          { modality: "TEXT", tokenCount: text },
          { modality: "AUDIO", tokenCount: audio },
        ],
        candidatesTokensDetails: [{ modality: "IMAGE", tokenCount: image }],
      }
      const reading = read("gemini", "/v1beta/models/g:generateContent", JSON.stringify({ usageMetadata }))
      expect(reading.parts[0]).toMatchObject({
        usage: { input: text + tool, inputAudio: audio, reasoning: thoughts, output: answer, outputImage: image },
        contextTokens: text + audio,
      })
    }
  })
})

describe("usage that is nonsense", () => {
  const NAMES = [
    "usage",
    "usageMetadata",
    "model",
    "type",
    "response",
    "message",
    "result",
    "iterations",
    "output",
    "service_tier",
    "cost",
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "is_byok",
    "input_tokens_details",
    "output_tokens_details",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_tokens",
    "image_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "ephemeral_1h_input_tokens",
    "server_tool_use",
    "promptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "tool_usage",
    "totalTokenCount",
    "promptTokensDetails",
    "candidates",
    "groundingMetadata",
    "webSearchQueries",
    "interaction",
    "image_gen",
    "total_input_tokens",
    "__proto__",
    "constructor",
    "choices",
    "data",
    "delta",
    "x_groq",
    "stop_reason",
    "cost_in_usd_ticks",
    "inputTokens",
    "outputTokens",
    "cacheReadInputTokens",
    "cacheWriteInputTokenCount",
    "cacheDetails",
    "ttl",
    "prompt_token_count",
    "results",
    "tokenCount",
    "metadata",
    "serviceTier",
    "amazon-bedrock-invocationMetrics",
    "inputTokenCount",
    "outputTokenCount",
  ] as const
  const LEAVES = [
    "null",
    "true",
    "0",
    "1",
    "-1",
    "17",
    "2.5",
    "1e999",
    "-1e999",
    "1e308",
    "9007199254740993",
    '"12"',
    '"x"',
    '"\\ud800"',
    '""',
    '"message_start"',
    '"message_delta"',
    '"compaction"',
    '"advisor_message"',
    '"web_search_call"',
    '"AUDIO"',
    '"search"',
    "[]",
    "{}",
  ] as const

  function nonsense(random: Random, depth: number): string {
    const kind = random.next()
    if (depth === 0 || kind < 0.35) return random.one(LEAVES)
    const members = Array.from({ length: random.below(6) }, () => nonsense(random, depth - 1))
    if (kind < 0.45) return `[${members.join(",")}]`
    return `{${members.map((member) => `"${random.one(NAMES)}":${member}`).join(",")}}`
  }

  it("never throws, and whatever is read is disjoint, whole and not negative", () => {
    const random = createRandom(4)
    for (const format of ["openai", "anthropic", "bedrock", "gemini"] as const) {
      for (let i = 0; i < 6000; i++) {
        const usage = nonsense(random, 3)
        const text =
          random.next() < 0.5 ? `{"usage":${usage},"usageMetadata":${usage},"model":"m"}` : nonsense(random, 5)
        const streamed = random.next() < 0.3
        const path = random.one(PATHS[format])
        expectSound(
          read(
            format,
            path,
            streamed ? `data: ${text}\n\n` : text,
            streamed ? "text/event-stream" : "application/json",
          ),
        )
      }
    }
  })

  it("states the reason when a number is impossible", () => {
    const reading = read(
      "openai",
      "/v1/chat/completions",
      '{"usage":{"prompt_tokens":-5,"completion_tokens":1e999,"total_tokens":3}}',
    )
    expect(reading.inconsistent).toContain("prompt_tokens is negative or not finite")
    expectSound(reading)
  })

  it.each([
    ["openai", "/v1/chat/completions", '{"usage":{"prompt_tokens":12,"completion_tokens":"NaN"}}', "completion_tokens"],
    ["openai", "/v1/responses", '{"usage":{"input_tokens":1.5,"output_tokens":2}}', "input_tokens"],
    ["anthropic", "/v1/messages", '{"usage":{"input_tokens":3,"output_tokens":[4]}}', "output_tokens"],
    [
      "gemini",
      "/v1beta/models/g:generateContent",
      '{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4.5}}',
      "candidatesTokenCount",
    ],
  ] as const)(
    "%s %s: a stated number that is not whole is the reason why the cost is not exact",
    (format, path, text, name) => {
      const reading = read(format, path, text)
      expect(reading.inconsistent).toBe(`${name} is not a whole number`)
      expectSound(reading)
    },
  )

  it("bytes that are no JSON give no reading", () => {
    const random = createRandom(5)
    for (let i = 0; i < 500; i++) {
      const bytes = Array.from({ length: random.below(300) }, () => String.fromCharCode(random.below(256))).join("")
      for (const type of ["application/json", "text/event-stream", "application/jsonl", ""]) {
        expectSound(read("gemini", "/v1beta/models/g:generateContent", bytes, type))
        expectSound(read("openai", "/v1/files/f/content", bytes, type, "GET"))
      }
    }
  })
})
