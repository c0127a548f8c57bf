import { afterEach, expect, test } from "vitest"
import type { LogIntent } from "../../../src/core/log-record.ts"
import { DIALECTS } from "../../../src/providers/catalog.ts"
import { type Pipeline, startPipeline } from "../../support/pipeline.ts"
import { untilFound } from "../../support/until.ts"
import { answerNext, begun, closed, completed, create, nextMessage, price, typesUntil } from "./_responses.ts"
import { openPair, type Pair, type SocketOptions, type SocketProvider, startSocketProvider } from "./_sockets.ts"

let pipeline: Pipeline
let provider: SocketProvider
afterEach(async () => {
  await provider.close()
  await pipeline.close()
})

type Options = Partial<Parameters<typeof startPipeline>[0]>

async function start(options: Options = {}): Promise<void> {
  provider = await startSocketProvider()
  pipeline = await startPipeline({ upstream: provider.origin, price, ...options })
}

const open = (options: SocketOptions = {}) => openPair(pipeline, provider, { path: "/v1/responses", ...options })

async function respond({ client, far }: Pair, shape: Parameters<typeof answerNext>[1] = {}): Promise<void> {
  client.send(create())
  await answerNext(far, shape)
  await typesUntil(client, "response.completed")
}

test("each response of a session is one row, with the id of the session", async () => {
  await start()
  const pair = await open({ headers: { "user-agent": "codex_cli_rs/0.153.0" } })
  await respond(pair, { id: "resp_1", input: 1000, output: 200 })
  await respond(pair, { id: "resp_2", input: 1300, output: 50 })
  const [one, two] = [await pipeline.nextRecord(), await pipeline.nextRecord()]
  const common = {
    provider: "openai",
    model: "gpt-5-mini-2025-08-07",
    requested_model: "gpt-5-mini",
    request_method: "GET",
    request_path: "/v1/responses",
    status_code: 200,
    outcome: "complete",
    streamed: true,
    transport: "websocket",
    websocket_id: one.id,
    usage_source: "reported",
    raw_metadata: { Client: "codex/0.153", "Session-Id": one.id },
  }
  expect(one).toMatchObject({ ...common, input_tokens: 1000, output_tokens: 200 })
  expect(two).toMatchObject({ ...common, input_tokens: 1300, output_tokens: 50 })
  expect(two.id).not.toBe(one.id)
  expect(two.requested_at >= one.responded_at).toBe(true)
  expect(one.first_byte_ms).toBeLessThanOrEqual(one.response_time_ms)
  pair.client.close()
  await closed(pair.client)
  await untilFound(() => pipeline.gateway.counters.sockets.open === 0)
  expect(pipeline.records).toHaveLength(2)
  expect(pipeline.gateway.unrecordedRequests()).toBe(0)
  expect(pipeline.gateway.counters.streams).toBe(0)
})

test("a session without a response has one row, which is free", async () => {
  await start()
  const { client } = await open()
  client.close()
  expect(await pipeline.nextRecord()).toMatchObject({
    status_code: 101,
    outcome: "complete",
    cost_status: "free",
    usage_source: "none",
    transport: "websocket",
    input_tokens: 0,
  })
  await untilFound(() => pipeline.gateway.counters.sockets.open === 0)
  expect(pipeline.gateway.counters.sockets.ends.client).toBe(1)
  expect(pipeline.records).toHaveLength(1)
})

async function startResponse({ client, far }: Pair): Promise<void> {
  client.send(create())
  await nextMessage(far)
  for (const message of begun()) far.send(message)
  await typesUntil(client, "response.output_text.delta")
}

test("a response that its client leaves is estimated, and not free", async () => {
  await start()
  const pair = await open()
  await startResponse(pair)
  pair.client.terminate()
  const row = await pipeline.nextRecord()
  expect(row).toMatchObject({ outcome: "client_left", status_code: 200, usage_source: "estimated" })
  expect(row.cost_status).toBe("estimated")
  expect(row.output_tokens).toBeGreaterThan(0)
  await untilFound(() => pipeline.gateway.counters.sockets.open === 0)
  expect(pipeline.records).toHaveLength(1)
})

test("a response that the provider breaks off is estimated, and not free", async () => {
  await start()
  const pair = await open()
  await startResponse(pair)
  pair.far.terminate()
  expect(await pipeline.nextRecord()).toMatchObject({
    outcome: "upstream_broke",
    usage_source: "estimated",
    cost_status: "estimated",
  })
  await untilFound(() => pipeline.gateway.counters.sockets.open === 0)
  expect(pipeline.gateway.counters.sockets.ends.provider).toBe(1)
})

test("a response of which nothing came is not free, because the provider may bill it", async () => {
  await start()
  const { client, far } = await open()
  client.send(create())
  await nextMessage(far)
  far.terminate()
  expect(await pipeline.nextRecord()).toMatchObject({
    outcome: "upstream_broke",
    status_code: 502,
    first_byte_ms: undefined,
    cost_status: "unpriced",
  })
})

test("an error of the provider has the status that it has over HTTP", async () => {
  await start()
  const pair = await open()
  const error = { type: "invalid_request_error", code: "model_not_found", message: "No such model." }
  pair.client.send(create({ model: "gpt-none" }))
  await nextMessage(pair.far)
  pair.far.send(JSON.stringify({ type: "error", status: 400, error }))
  expect(await pipeline.nextRecord()).toMatchObject({
    outcome: "complete",
    status_code: 400,
    error_message: "No such model.",
    cost_status: "free",
    requested_model: "gpt-none",
  })
  await respond(pair)
  expect(await pipeline.nextRecord()).toMatchObject({ status_code: 200, input_tokens: 1000 })
})

test("two responses that run at the same time have a row each", async () => {
  await start()
  const { client, far } = await open()
  for (const stream of ["a", "b"]) {
    client.send(create({ stream_id: stream }))
    await nextMessage(far)
  }
  for (const stream of ["a", "b"]) for (const message of begun({ id: `resp_${stream}`, stream })) far.send(message)
  far.send(completed({ id: "resp_b", stream: "b", input: 20, output: 2 }))
  far.send(completed({ id: "resp_a", stream: "a", input: 10, output: 1 }))
  const rows = [await pipeline.nextRecord(), await pipeline.nextRecord()]
  expect(rows.map((row) => [row.input_tokens, row.output_tokens])).toEqual([
    [20, 2],
    [10, 1],
  ])
  expect(rows[1]!.websocket_id).toBe(rows[1]!.id)
})

test("a response with a message that was not read is estimated, unless its usage was read", async () => {
  await start()
  const { client, far } = await open()
  const long = JSON.stringify({ type: "response.output_text.delta", delta: "word ".repeat(3_500_000) })
  client.send(create())
  await nextMessage(far)
  for (const message of [...begun(), long, completed()]) far.send(message)
  expect(await pipeline.nextRecord()).toMatchObject({ usage_source: "reported", output_tokens: 200 })
  client.send(create())
  await nextMessage(far)
  for (const message of [...begun(), long]) far.send(message)
  await untilFound(() => pipeline.gateway.counters.sockets.unread.provider === 2)
  // The next response begins, so that the last one has ended, perhaps by the message that was not read.
  client.send(create())
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "complete", usage_source: "estimated" })
  await answerNext(far, { id: "resp_3", input: 7 })
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "complete", input_tokens: 7 })
})

test.each(["createReader", "onClient", "onProvider"] as const)(
  "a bug in %s of a reader costs usage, and neither what passes nor the row",
  async (broken) => {
    const errors: unknown[] = []
    const bug = () => {
      throw new Error("a bug")
    }
    const { sockets } = DIALECTS.openai
    const createReader: NonNullable<typeof sockets>["createReader"] = (request) => {
      if (broken === "createReader") bug()
      const reader = sockets!.createReader(request)
      return {
        onClient: broken === "onClient" ? bug : (message) => reader.onClient(message),
        onProvider: broken === "onProvider" ? bug : (message) => reader.onProvider(message),
        onRejected: (turn) => reader.onRejected(turn),
      }
    }
    const openai = { ...DIALECTS.openai, sockets: { ...sockets!, createReader } }
    await start({ deps: { dialects: { ...DIALECTS, openai }, onError: (error) => void errors.push(error) } })
    const pair = await open()
    await respond(pair)
    pair.client.close()
    const row = await pipeline.nextRecord()
    expect(row.total_cost).not.toBe("0")
    expect(row.cost_status).not.toBe("free")
    await untilFound(() => pipeline.gateway.counters.sockets.open === 0)
    expect(pipeline.records).toHaveLength(1)
    expect(errors.length).toBeGreaterThan(0)
  },
)

test("each response that is forwarded has an intent before the provider gets its message", async () => {
  const intents: string[] = []
  const recordIntent = ({ id, requested_model }: LogIntent, onKept: () => void) => {
    intents.push(`${id} ${requested_model}`)
    onKept()
  }
  await start({ ledger: { recordIntent } })
  const pair = await open()
  const [handshake] = intents
  await respond(pair)
  await respond(pair, { id: "resp_2" })
  const rows = [await pipeline.nextRecord(), await pipeline.nextRecord()]
  expect(handshake).toBe(`${rows[0]!.id} undefined`)
  expect(intents.slice(1)).toEqual(rows.map(({ id }) => `${id} gpt-5-mini`))
})
