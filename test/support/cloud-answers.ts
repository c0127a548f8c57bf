import { EventStreamCodec } from "@smithy/eventstream-codec"

/** The clouds' answers, in the shapes of recorded ones (bedrock-converse-55a25a79a7, vertex-streamRawPredict-6358952e49, …). */
const claude = (model: string) => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model,
  content: [{ type: "text", text: "Hello" }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 484, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 36 },
})
const chat = (model: string) => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1774962746,
  model,
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "Hello" } }],
  usage: { prompt_tokens: 14, completion_tokens: 19, total_tokens: 33 },
})
const converse = {
  metrics: { latencyMs: 3447 },
  output: { message: { role: "assistant", content: [{ text: "Hello" }] } },
  stopReason: "end_turn",
  usage: {
    cacheReadInputTokenCount: 2074,
    cacheReadInputTokens: 2074,
    cacheWriteInputTokenCount: 297,
    cacheWriteInputTokens: 297,
    inputTokens: 3,
    outputTokens: 61,
    totalTokens: 2435,
  },
}
const gemini = {
  candidates: [{ content: { role: "model", parts: [{ text: "Hello" }] }, finishReason: "STOP" }],
  usageMetadata: {
    promptTokenCount: 9613,
    candidatesTokenCount: 33,
    cachedContentTokenCount: 9602,
    totalTokenCount: 9646,
    trafficType: "ON_DEMAND",
  },
  modelVersion: "gemini-2.5-flash",
}
const ANSWERS: readonly (readonly [RegExp, object])[] = [
  [/:rawPredict$/, claude("claude-sonnet-4-5-20250929")],
  [/\/invoke$/, claude("claude-haiku-4-5-20251001")],
  [/\/converse$/, converse],
  [/:generateContent$/, gemini],
  [/^\/openai\/deployments\//, chat("gpt-4.1-mini-2025-04-14")],
  [/\/endpoints\/openapi\//, chat("google/gemini-2.5-flash")],
  [/\/chat\/completions$/, chat("openai.gpt-oss-20b-1:0")],
  [/\/v1\/messages$/, claude("claude-haiku-4-5-20251001")],
]

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString("utf8"),
  (text) => Buffer.from(text),
)

/** Returns one event of a stream of AWS. */
function event(type: string, payload: object): Buffer {
  const headers = { ":event-type": type, ":content-type": "application/json", ":message-type": "event" }
  const typed = Object.entries(headers).map(([name, value]) => [name, { type: "string", value }])
  return Buffer.from(codec.encode({ headers: Object.fromEntries(typed), body: Buffer.from(JSON.stringify(payload)) }))
}

const chunk = (document: object) =>
  event("chunk", { bytes: Buffer.from(JSON.stringify(document)).toString("base64"), p: "abc" })
const STREAMS: readonly (readonly [RegExp, readonly Buffer[]])[] = [
  [
    /\/converse-stream$/,
    [
      event("messageStart", { role: "assistant", p: "ab" }),
      event("contentBlockDelta", { contentBlockIndex: 0, delta: { text: "Hello" }, p: "abcd" }),
      event("messageStop", { stopReason: "end_turn", p: "a" }),
      event("metadata", { metrics: { latencyMs: 5 }, usage: converse.usage, p: "abc" }),
    ],
  ],
  [
    /\/invoke-with-response-stream$/,
    [
      chunk({ type: "message_start", message: { ...claude("claude-haiku-4-5-20251001"), content: [] } }),
      chunk({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } }),
      chunk({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 36 } }),
      chunk({
        type: "message_stop",
        "amazon-bedrock-invocationMetrics": { inputTokenCount: 484, outputTokenCount: 36 },
      }),
    ],
  ],
]

interface CloudAnswer {
  readonly status: number
  readonly type: string
  readonly body: Buffer
}

/** Returns the answer of a cloud to a path: 404 if no cloud has it. */
export function findCloudAnswer(path: string): CloudAnswer {
  const events = STREAMS.find(([pattern]) => pattern.test(path))?.[1]
  if (events) return { status: 200, type: "application/vnd.amazon.eventstream", body: Buffer.concat(events) }
  const document = ANSWERS.find(([pattern]) => pattern.test(path))?.[1]
  const body = Buffer.from(JSON.stringify(document ?? {}))
  return { status: document ? 200 : 404, type: "application/json", body }
}
