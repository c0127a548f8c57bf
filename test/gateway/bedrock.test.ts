import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  CountTokensCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime"
import { EventStreamCodec } from "@smithy/eventstream-codec"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
const TOKEN = "ABSKQmVkcm9ja0FQSUtleS0123456789abcdefghijklmnop"
const USAGE = { inputTokens: 3, outputTokens: 61, totalTokens: 2435, cacheReadInputTokens: 2371 }
const ROW = { provider: "bedrock", model: MODEL, dialect: "bedrock", status_code: 200, outcome: "complete" }
const MESSAGES = [{ role: "user" as const, content: [{ text: "Hello" }] }]

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString("utf8"),
  (text) => Buffer.from(text),
)

/** Returns one message as AWS sends it. `kind` is `event` or `exception`. */
function message(kind: string, type: string, payload: object): Buffer {
  const headers = { [`:${kind}-type`]: type, ":content-type": "application/json", ":message-type": kind }
  const typed = Object.entries(headers).map(([name, value]) => [name, { type: "string", value }])
  return Buffer.from(codec.encode({ headers: Object.fromEntries(typed), body: Buffer.from(JSON.stringify(payload)) }))
}

const TEXT = message("event", "contentBlockDelta", {
  contentBlockIndex: 0,
  delta: { text: "Grüße 🌍, Bedrock" },
  p: "ab",
})
const START = message("event", "messageStart", { role: "assistant" })
const METADATA = message("event", "metadata", { metrics: { latencyMs: 5 }, usage: USAGE })

let asked: IncomingMessage | undefined
let answer: (response: ServerResponse) => void = () => {}
const provider = createServer((request, response) => {
  asked = request
  request.resume().on("end", () => answer(response))
})
let gateway: Pipeline
let client: BedrockRuntimeClient

beforeAll(async () => {
  await new Promise<void>((done) => provider.listen(0, "127.0.0.1", done))
  gateway = await startPipeline({ upstream: `http://127.0.0.1:${(provider.address() as AddressInfo).port}` })
  client = createClient()
  client.middlewareStack.add(
    (next) => (args) => {
      Object.assign((args.request as { headers: object }).headers, { "x-majordomo-key": KEY })
      return next(args)
    },
    { step: "build" },
  )
})
afterAll(async () => {
  client.destroy()
  await gateway.close()
  provider.closeAllConnections()
  await new Promise((done) => provider.close(done))
})
beforeEach(() => {
  asked = undefined
})

function createClient(): BedrockRuntimeClient {
  return new BedrockRuntimeClient({
    region: "eu-west-1",
    endpoint: gateway.origin,
    token: { token: TOKEN },
    authSchemePreference: ["httpBearerAuth"],
    maxAttempts: 1,
    // Without it, this client speaks HTTP/2 only.
    requestHandler: new NodeHttpHandler(),
  })
}

function json(document: object, status = 200, headers: Record<string, string> = {}): typeof answer {
  return (response) =>
    void response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(document))
}

/** Answers with an event stream in pieces that end anywhere. */
function stream(bytes: Buffer, isBroken = false): typeof answer {
  return (response) => {
    response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" })
    for (let at = 0; at < bytes.length; at += 50) response.write(bytes.subarray(at, at + 50))
    if (isBroken) response.write("", () => response.socket?.end())
    else response.end()
  }
}

const converseStream = () => client.send(new ConverseStreamCommand({ modelId: MODEL, messages: MESSAGES }))

async function collect<T>(events: AsyncIterable<T> | undefined): Promise<T[]> {
  const all: T[] = []
  for await (const event of events ?? []) all.push(event)
  return all
}

test("Converse by AWS's own client is relayed with its key of Bedrock, and metered", async () => {
  const output = { message: { role: "assistant", content: [{ text: "Grüße" }] } }
  answer = json({ output, stopReason: "end_turn", usage: USAGE })
  const result = await client.send(new ConverseCommand({ modelId: MODEL, messages: MESSAGES }))
  expect(result).toMatchObject({ output, usage: USAGE })
  expect(asked?.url).toBe(`/model/${encodeURIComponent(MODEL)}/converse`)
  expect(asked?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}` })
  expect(asked?.headers["x-majordomo-key"]).toBeUndefined()
  expect(await gateway.nextRecord()).toMatchObject({
    ...ROW,
    requested_model: MODEL,
    input_tokens: 2374,
    cached_tokens: 2371,
    output_tokens: 61,
    usage: USAGE,
    usage_source: "reported",
    provider_api_key_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
})

test("ConverseStream reaches AWS's own client, whose decoder checks every byte, and is metered", async () => {
  answer = stream(Buffer.concat([START, TEXT, METADATA]))
  const events = await collect((await converseStream()).stream)
  expect(events.map((event) => Object.keys(event)[0])).toEqual(["messageStart", "contentBlockDelta", "metadata"])
  expect(events[1]).toMatchObject({ contentBlockDelta: { delta: { text: "Grüße 🌍, Bedrock" } } })
  expect(await gateway.nextRecord()).toMatchObject({ ...ROW, streamed: true, input_tokens: 2374, output_tokens: 61 })
})

test("an exception inside of a stream reaches the client, and is the error of the row", async () => {
  const exception = message("exception", "throttlingException", { message: "Too many tokens, wait" })
  answer = stream(Buffer.concat([START, TEXT, exception]))
  await expect(converseStream().then(({ stream: events }) => collect(events))).rejects.toMatchObject({
    name: "ThrottlingException",
  })
  expect(await gateway.nextRecord()).toMatchObject({
    ...ROW,
    error_message: "throttlingException: Too many tokens, wait",
    usage_source: "estimated",
  })
})

test("a damaged stream reaches the client as it came, and the usage of its row is unknown", async () => {
  const damaged = Buffer.from(TEXT)
  damaged[damaged.length - 8]! ^= 1
  answer = stream(Buffer.concat([START, damaged, METADATA]))
  await expect(converseStream().then(({ stream: events }) => collect(events))).rejects.toThrow(/checksum/i)
  expect(await gateway.nextRecord()).toMatchObject({ ...ROW, usage_source: "none", input_tokens: 0, output_tokens: 0 })
})

test("a stream that breaks off is estimated", async () => {
  answer = stream(Buffer.concat([START, TEXT, TEXT]), true)
  await expect(converseStream().then(({ stream: events }) => collect(events))).rejects.toThrow()
  const row = await gateway.nextRecord()
  expect(row).toMatchObject({ outcome: "upstream_broke", usage_source: "estimated" })
  expect(row.output_tokens).toBeGreaterThan(0)
})

test("InvokeModel is metered by its headers, and its stream by the last chunk", async () => {
  answer = json({ completion: "x" }, 200, {
    "X-Amzn-Bedrock-Input-Token-Count": "18",
    "X-Amzn-Bedrock-Output-Token-Count": "87",
  })
  await client.send(new InvokeModelCommand({ modelId: "anthropic.claude-v2:1", body: "{}" }))
  const row = { model: "anthropic.claude-v2:1", input_tokens: 18, output_tokens: 87 }
  expect(await gateway.nextRecord()).toMatchObject(row)

  const last = { is_finished: true, "amazon-bedrock-invocationMetrics": { inputTokenCount: 20, outputTokenCount: 10 } }
  const chunks = [{ text: " I" }, last].map((document) =>
    message("event", "chunk", { bytes: Buffer.from(JSON.stringify(document)).toString("base64") }),
  )
  answer = stream(Buffer.concat(chunks))
  const command = new InvokeModelWithResponseStreamCommand({ modelId: "cohere.command-text-v14", body: "{}" })
  expect(await collect((await client.send(command)).body)).toHaveLength(2)
  expect(await gateway.nextRecord()).toMatchObject({ input_tokens: 20, output_tokens: 10, streamed: true })
})

test("counting tokens is free", async () => {
  answer = json({ inputTokens: 18 })
  const input = { converse: { messages: MESSAGES } }
  expect(await client.send(new CountTokensCommand({ modelId: MODEL, input }))).toMatchObject({ inputTokens: 18 })
  expect(await gateway.nextRecord()).toMatchObject({ model: MODEL, input_tokens: 0, usage_source: "none" })
})

test("Bedrock's errors reach the client and the row, and the gateway's own have a type that AWS's client knows", async () => {
  answer = json({ message: "The provided model identifier is invalid." }, 400, {
    "x-amzn-errortype": "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/",
  })
  const converse = new ConverseCommand({ modelId: "none", messages: MESSAGES })
  await expect(client.send(converse)).rejects.toMatchObject({ name: "ValidationException" })
  expect(await gateway.nextRecord()).toMatchObject({
    model: "none",
    status_code: 400,
    error_message: "The provided model identifier is invalid.",
  })

  const stranger = createClient()
  await expect(stranger.send(converse)).rejects.toMatchObject({
    name: "AccessDeniedException",
    message: expect.stringContaining("gateway key"),
  })
  stranger.destroy()
})
