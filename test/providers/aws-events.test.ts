import { EventStreamCodec } from "@smithy/eventstream-codec"
import { beforeAll, describe, expect, it } from "vitest"
import type { ProviderRequest } from "../../src/providers/_dialect.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { createRandom, type Random } from "./_random.ts"

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString("utf8"),
  (text) => Buffer.from(text),
)
const { bedrock } = DIALECTS
const MODEL = "us.amazon.nova-lite-v1:0"
const JSON_TYPE = "application/json"

beforeAll(() => bedrock.load?.())

/** Returns one message as AWS sends it. */
function message(headers: Readonly<Record<string, string>>, payload: Uint8Array | object): Buffer {
  const body = payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload))
  const typed = Object.entries(headers).map(([name, value]) => [`:${name}`, { type: "string", value }])
  return Buffer.from(codec.encode({ headers: Object.fromEntries(typed), body }))
}

const event = (type: string, payload: Uint8Array | object) =>
  message({ "event-type": type, "content-type": JSON_TYPE, "message-type": "event" }, payload)
const chunk = (document: object) =>
  event("chunk", { bytes: Buffer.from(JSON.stringify(document)).toString("base64"), p: "abcdef" })
const text = (content: string) => event("contentBlockDelta", { contentBlockIndex: 0, delta: { text: content }, p: "a" })

const METADATA = event("metadata", {
  metrics: { latencyMs: 9 },
  p: "abc",
  serviceTier: { type: "flex" },
  usage: {
    inputTokens: 13,
    outputTokens: 82,
    totalTokens: 195,
    cacheReadInputTokens: 100,
    cacheReadInputTokenCount: 100,
  },
})
const CONVERSE = [
  event("messageStart", { role: "assistant" }),
  text("Grüße 🌍"),
  text(" and more"),
  event("contentBlockStop", { contentBlockIndex: 0 }),
  event("messageStop", { stopReason: "end_turn" }),
  METADATA,
]
const BILLED = { input: 13, cacheRead: 100, output: 82 }

function read(
  pieces: readonly Buffer[],
  action = "converse-stream",
  options: { complete?: boolean; body?: object } = {},
) {
  const request: ProviderRequest = {
    provider: "bedrock",
    method: "POST",
    path: `/model/${encodeURIComponent(MODEL)}/${action}`,
    query: "",
    headers: {},
    body: Buffer.from(
      JSON.stringify(options.body ?? { messages: [{ role: "user", content: [{ text: "Hello there" }] }] }),
    ),
    host: "provider.test",
  }
  const head = { statusCode: 200, contentType: "application/vnd.amazon.eventstream" }
  const meter = bedrock.createMeter(request, bedrock.framing(request, head))!
  for (const piece of pieces) {
    // The caller may reuse the bytes of a stream afterwards.
    const copy = Buffer.from(piece)
    meter.push(copy)
    copy.fill(0)
  }
  const reading = meter.end({ complete: options.complete ?? true })
  return { ...reading, usage: reading.parts[0]?.usage, error: meter.error }
}

/** Cuts bytes at random places, also within the 12 bytes with which a message begins. */
function cutAnywhere(bytes: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(random.next() < 0.5 ? 4 : 200)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}

describe("an AWS event stream", () => {
  it("is read alike however its bytes arrive", () => {
    const bytes = Buffer.concat(CONVERSE)
    const random = createRandom(11)
    const arrivals = [
      [bytes],
      CONVERSE,
      Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)),
      ...Array.from({ length: bytes.length - 1 }, (_, at) => [bytes.subarray(0, at + 1), bytes.subarray(at + 1)]),
      ...Array.from({ length: 100 }, () => cutAnywhere(bytes, random)),
    ]
    for (const pieces of arrivals) {
      const reading = read(pieces)
      expect(reading.usage).toMatchObject(BILLED)
      expect(reading).toMatchObject({ source: "reported", tier: "flex", model: MODEL })
    }
  })

  it("with any damaged byte never throws, and has no usage", () => {
    const bytes = Buffer.concat(CONVERSE)
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 1 + (at % 255)
      const reading = read([damaged.subarray(0, at), damaged.subarray(at)])
      expect(reading, `byte ${at}`).toMatchObject({ source: "none", parts: [], model: MODEL })
    }
  })

  it("that is damaged before its usage has none", () => {
    const damaged = Buffer.from(CONVERSE[2]!)
    damaged[damaged.length - 10]! ^= 1
    expect(read([...CONVERSE.slice(0, 2), damaged, ...CONVERSE.slice(3)])).toMatchObject({ source: "none", parts: [] })
  })

  it("that is damaged after its usage keeps it", () => {
    expect(read([...CONVERSE, Buffer.alloc(64, 1)])).toMatchObject({ source: "reported", usage: BILLED })
  })

  it("that announces an impossible length is not read further", () => {
    for (const length of [0, 15, 33 * 1024 * 1024, 0xffffffff]) {
      const prelude = Buffer.alloc(12)
      prelude.writeUInt32BE(length)
      expect(read([prelude, ...CONVERSE])).toMatchObject({ source: "none" })
    }
  })

  it.each([1, 700, 4096, 3_000_000])("skips a message that is too large to be held, in pieces of %d bytes", (size) => {
    const large = event("contentBlockDelta", Buffer.alloc(size === 1 ? 1024 * 1024 : 3 * 1024 * 1024, 120))
    const bytes = Buffer.concat([CONVERSE[0]!, large, ...CONVERSE.slice(1)])
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    )
    expect(read(pieces)).toMatchObject({ source: "reported", usage: BILLED })
  })

  it.each([0, 1])("that was cut off is estimated from its text, also inside of a message", (more) => {
    const bytes = Buffer.concat([...CONVERSE.slice(0, 3), METADATA.subarray(0, 30 * more)])
    const { source, usage } = read([bytes], "converse-stream", { complete: false })
    expect(source).toBe("estimated")
    expect(usage!.input).toBeGreaterThan(0)
    expect(usage!.output).toBeGreaterThan(2)
  })

  it("of tool calls and reasoning that was cut off is estimated too", () => {
    const call = [
      event("contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent: { text: "x".repeat(400) } } }),
      event("contentBlockStart", { contentBlockIndex: 1, start: { toolUse: { name: "weather", toolUseId: "t" } } }),
      event("contentBlockDelta", { contentBlockIndex: 1, delta: { toolUse: { input: '{"city":"Grenoble"}' } } }),
    ]
    const [reasoning, all] = [call.slice(0, 1), call].map(
      (events) => read(events, "converse-stream", { complete: false }).usage!.output,
    )
    expect(reasoning).toBeGreaterThanOrEqual(100)
    expect(all).toBeGreaterThan(reasoning! + 8)
  })

  it("that ends with an exception says why", () => {
    const exception = message(
      { "exception-type": "throttlingException", "content-type": JSON_TYPE, "message-type": "exception" },
      { message: "Too many tokens for Bearer abcdefgh1234" },
    )
    const { error, source } = read([...CONVERSE.slice(0, 3), exception])
    expect(error).toBe("throttlingException: Too many tokens for ***")
    expect(source).toBe("estimated")
    expect(read([exception])).toMatchObject({ source: "none", parts: [] })
  })

  it("that ends with an error says why", () => {
    const error = message({ "error-code": "InternalError", "error-message": "Try again", "message-type": "error" }, {})
    expect(read([...CONVERSE.slice(0, 3), error]).error).toBe("InternalError: Try again")
  })

  it("can be JSON after all", () => {
    expect(read([Buffer.from('{"message":"no"}')])).toMatchObject({ source: "none", parts: [] })
  })
})

describe("a stream of InvokeModel", () => {
  const METRICS = { inputTokenCount: 7, outputTokenCount: 97, invocationLatency: 5, cacheReadInputTokenCount: 20 }
  const CLAUDE = [
    {
      type: "message_start",
      message: {
        type: "message",
        model: "claude-3-sonnet-28k-20240229",
        content: [],
        usage: { input_tokens: 7, cache_read_input_tokens: 20, output_tokens: 2 },
      },
    },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello there" } },
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 133 } },
    { type: "message_stop", "amazon-bedrock-invocationMetrics": METRICS },
  ]
  const invoke = (documents: readonly object[], complete = true) =>
    read(documents.map(chunk), "invoke-with-response-stream", { complete })

  it("of Claude counts the model's own usage, which can be higher than Bedrock's metrics", () => {
    expect(invoke(CLAUDE)).toMatchObject({
      model: MODEL,
      source: "reported",
      usage: { input: 7, cacheRead: 20, output: 133 },
    })
  })

  it("of Claude that lost its last usage counts Bedrock's metrics", () => {
    expect(invoke([CLAUDE[0]!, CLAUDE[1]!, CLAUDE[3]!])).toMatchObject({
      source: "reported",
      usage: { input: 7, cacheRead: 20, output: 97 },
    })
  })

  it("of Claude that was cut off has the input of its start, and an estimate of its output", () => {
    const { source, usage } = invoke(CLAUDE.slice(0, 2), false)
    expect(source).toBe("estimated")
    expect(usage).toMatchObject({ input: 7, cacheRead: 20 })
    expect(usage!.output).toBeGreaterThanOrEqual(2)
  })

  it("of Llama that was cut off has the counts that it reported so far", () => {
    const chunks = [
      { generation: "a", prompt_token_count: 10, generation_token_count: 1, stop_reason: null },
      { generation: "b", prompt_token_count: null, generation_token_count: 40, stop_reason: null },
    ]
    expect(invoke(chunks, false)).toMatchObject({ source: "estimated", usage: { input: 10, output: 40 } })
    const last = { generation: "", generation_token_count: 41, "amazon-bedrock-invocationMetrics": METRICS }
    expect(invoke([...chunks, last])).toMatchObject({ source: "reported", usage: { input: 10, output: 41 } })
  })

  it("of a model without counts has Bedrock's metrics, also in a chunk of their own", () => {
    const chunks = [{ is_finished: false, text: " I" }, { is_finished: true }]
    expect(invoke([...chunks, { "amazon-bedrock-invocationMetrics": METRICS }])).toMatchObject({
      source: "reported",
      usage: { input: 7, cacheRead: 20, output: 97 },
    })
  })

  it("of anything else is never read as usage", () => {
    const random = createRandom(12)
    for (let i = 0; i < 500; i++) {
      const payload = Buffer.from(Array.from({ length: random.below(80) }, () => random.below(256)))
      const type = random.one(["chunk", "metadata", "contentBlockDelta", "trace", ""] as const)
      expect(read([event(type, payload)], "invoke-with-response-stream").source).not.toBe("reported")
    }
  })
})
