import { afterEach, expect, test } from "vitest"
import type { Caller } from "../../../src/core/call.ts"
import { GatewayError } from "../../../src/core/errors.ts"
import type { KeyPolicy } from "../../../src/core/key-policy.ts"
import { createFakeLimits } from "../../support/fake-limits.ts"
import { type Pipeline, startPipeline } from "../../support/pipeline.ts"
import { untilFound } from "../../support/until.ts"
import {
  answerNext,
  begun,
  closed,
  completed,
  create,
  LIMIT_USED_UP,
  nextMessage,
  price,
  typesUntil,
} from "./_responses.ts"
import {
  connectSocket,
  openPair,
  type Pair,
  type SocketOptions,
  type SocketProvider,
  startSocketProvider,
} from "./_sockets.ts"

const KEY_ID = "00000000-0000-7000-8000-000000000001"
const NO_POLICY: KeyPolicy = { expiresAt: undefined, secretEndsAt: undefined, models: undefined, providers: undefined }

let pipeline: Pipeline
let provider: SocketProvider
let limits = createFakeLimits()
/** What the look-up of the key answers. */
let caller: () => Caller | undefined | Promise<Caller | undefined> = () => ({ keyId: KEY_ID })
afterEach(async () => {
  await provider.close()
  await pipeline.close()
  limits = createFakeLimits()
  caller = () => ({ keyId: KEY_ID })
})

type Options = Partial<Parameters<typeof startPipeline>[0]>

async function start(options: Options = {}): Promise<void> {
  provider = await startSocketProvider()
  pipeline = await startPipeline({
    upstream: provider.origin,
    price,
    ...options,
    deps: { findCaller: () => caller(), ...options.deps },
  })
}

const open = (options: SocketOptions = {}) => openPair(pipeline, provider, { path: "/v1/responses", ...options })

async function respond({ client, far }: Pair, members: object = {}): Promise<void> {
  client.send(create(members))
  await answerNext(far)
  await typesUntil(client, "response.completed")
}

async function startResponse({ client, far }: Pair): Promise<void> {
  client.send(create())
  await nextMessage(far)
  for (const message of begun()) far.send(message)
  await typesUntil(client, "response.output_text.delta")
}

/** Opens a socket that is expected to be rejected, and returns the status. */
async function statusOf(options: Parameters<typeof connectSocket>[1] = {}): Promise<number> {
  const error = (await connectSocket(pipeline, { path: "/v1/responses", ...options }).catch((e) => e)) as Error
  return Number(/(\d+)$/.exec(error.message)?.[1])
}

test("each response reserves what it may use, and its row settles that; the open connection reserves nothing", async () => {
  await start({ deps: { limits } })
  const pair = await open()
  expect(limits.seen.map(({ request, ends }) => [request.opensSession, ends])).toEqual([[true, ["released"]]])
  await respond(pair)
  const row = await pipeline.nextRecord()
  const [, { request, ends }] = limits.seen as [unknown, (typeof limits.seen)[number]]
  expect(request).toMatchObject({ id: row.id, keyId: KEY_ID, requestedModel: "gpt-5-mini", opensSession: false })
  expect(ends).toMatchObject([{ model: row.model, inputTokens: 1000, outputTokens: 200 }])
})

test("what the tightest limit has left is in the answer to the handshake", async () => {
  await start({ deps: { limits } })
  const upgrade = new Promise<string | string[] | undefined>((resolve, reject) => {
    void import("ws").then(({ default: WebSocket }) => {
      const socket = new WebSocket(`ws://127.0.0.1:${pipeline.port}/v1/responses`, {
        headers: { authorization: "Bearer sk-test", "x-majordomo-key": "mdm_sk_test_0123456789abcdefghijklmnop" },
      })
      socket.on("upgrade", ({ headers }) => resolve(headers["x-majordomo-limit-remaining"]))
      socket.on("error", reject)
    })
  })
  expect(await upgrade).toBe("team=12.34")
})

test("a long response extends its reservation while it runs", async () => {
  await start({ deps: { limits } })
  const { client, far } = await open()
  client.send(create())
  await nextMessage(far)
  for (const message of begun({ text: "word ".repeat(8000) })) far.send(message)
  await typesUntil(client, "response.output_text.delta")
  const { extended } = limits.seen[1]!
  expect(extended.at(-1)!.outputTokens).toBeGreaterThan(1000)
  far.send(completed())
  await pipeline.nextRecord()
})

test("a response that a limit rejects has a row and an error in the API's form, and the session goes on", async () => {
  await start({ deps: { limits } })
  const pair = await open()
  limits.decide = () => {
    throw LIMIT_USED_UP
  }
  pair.client.send(create())
  const error = JSON.parse(await nextMessage(pair.client))
  expect(error).toMatchObject({ type: "error", status: 429, error: { code: "insufficient_quota" } })
  expect(await pipeline.nextRecord()).toMatchObject({
    outcome: "rejected",
    status_code: 429,
    cost_status: "free",
    requested_model: "gpt-5-mini",
    transport: "websocket",
  })
  limits.decide = () => {}
  await respond(pair, { input: "again" })
  // The provider has got the second message only.
  const row = await pipeline.nextRecord()
  expect(row).toMatchObject({ outcome: "complete", input_tokens: 1000 })
  expect(row.websocket_id).not.toBe(row.id)
})

test("a message waits while a limit is asked, and nothing overtakes it", async () => {
  await start({ deps: { limits } })
  const { client, far } = await open()
  let allow: (() => void) | undefined
  limits.decide = () => new Promise((resolve) => (allow = resolve))
  client.send(create({ input: "first" }))
  client.send(JSON.stringify({ type: "response.cancel" }))
  await untilFound(() => allow)
  allow!()
  expect(JSON.parse(await nextMessage(far))).toMatchObject({ type: "response.create", input: "first" })
  expect(JSON.parse(await nextMessage(far))).toEqual({ type: "response.cancel" })
})

test("a client that leaves while a limit is asked has a row, and nothing stays reserved", async () => {
  await start({ deps: { limits } })
  const { client } = await open()
  let allow: (() => void) | undefined
  limits.decide = () => new Promise((resolve) => (allow = resolve))
  client.send(create())
  await untilFound(() => allow)
  client.terminate()
  await untilFound(() => pipeline.gateway.counters.sockets.open === 0)
  allow!()
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "client_left", status_code: 499 })
  expect(limits.seen[1]!.ends).toHaveLength(1)
})

test("a limit that is used up rejects the handshake", async () => {
  limits.decide = () => {
    throw LIMIT_USED_UP
  }
  await start({ deps: { limits } })
  expect(await statusOf()).toBe(429)
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "rejected", status_code: 429 })
})

test("a model that the key does not allow is rejected in each response", async () => {
  caller = () => ({ keyId: KEY_ID, policy: { ...NO_POLICY, models: ["gpt-5-mini*"] } })
  await start()
  const pair = await open()
  await respond(pair)
  await pipeline.nextRecord()
  pair.client.send(create({ model: "gpt-5-pro" }))
  expect(JSON.parse(await nextMessage(pair.client))).toMatchObject({
    type: "error",
    status: 403,
    error: { code: "model_not_allowed" },
  })
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "rejected", requested_model: "gpt-5-pro" })
  await respond(pair)
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "complete" })
})

test.each([
  ["revoked", () => undefined, "The gateway key is unknown or revoked."],
  [
    "expired",
    () => ({ keyId: KEY_ID, policy: { ...NO_POLICY, expiresAt: Date.now() - 1 } }),
    "The gateway key expired at",
  ],
  [
    "replaced, and the grace period is over,",
    () => ({ keyId: KEY_ID, policy: { ...NO_POLICY, secretEndsAt: Date.now() - 1 } }),
    "This gateway key was replaced by a new one",
  ],
])("a session whose key is %s ends with the response that runs", async (_what, found, why) => {
  await start()
  const pair = await open()
  await startResponse(pair)
  caller = found
  const ended = closed(pair.client)
  const error = JSON.parse(await nextMessage(pair.client))
  expect(error).toMatchObject({ type: "error", status: 401 })
  const [code, reason] = await ended
  expect(code).toBe(1008)
  expect(reason).toContain(why)
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "shutdown", usage_source: "estimated" })
  await untilFound(() => pipeline.gateway.counters.sockets.ends.key === 1)
})

test("a key that is revoked between two responses is not forwarded again, even before the session is closed", async () => {
  caller = () => ({ keyId: KEY_ID, policy: { ...NO_POLICY, models: ["*"] } })
  await start()
  const pair = await open()
  await respond(pair)
  caller = async () => undefined
  const ends = Promise.all([closed(pair.client), closed(pair.far)])
  pair.client.send(create({ input: "never" }))
  expect((await ends).map(([code]) => code)).toEqual([1008, 1008])
  await untilFound(() => pipeline.gateway.counters.sockets.open === 0)
  expect(pipeline.records).toHaveLength(1)
})

test("a session stays open while its key cannot be checked", async () => {
  await start()
  const pair = await open()
  let asked = 0
  caller = () => {
    asked++
    throw new GatewayError("keys_unavailable", "the database is away")
  }
  await untilFound(() => asked > 2)
  caller = () => ({ keyId: KEY_ID })
  await respond(pair)
})

test("metadata that a key requires may come with each message, and locked values hold", async () => {
  caller = () => ({
    keyId: KEY_ID,
    metadata: { defaults: {}, locked: { Team: "search" }, required: ["User-Id", "Team"] },
  })
  await start()
  const pair = await open({ headers: { "x-majordomo-team": "other" } })
  pair.client.send(create())
  expect(JSON.parse(await nextMessage(pair.client))).toMatchObject({ status: 400, error: { code: "missing_metadata" } })
  expect(await pipeline.nextRecord()).toMatchObject({ status_code: 400, cost_status: "free" })
  await respond(pair, { safety_identifier: "user-7", prompt_cache_key: "chat-3" })
  expect((await pipeline.nextRecord()).raw_metadata).toMatchObject({
    "User-Id": "user-7",
    "Session-Id": "chat-3",
    Team: "search",
  })
})

const FORBIDDEN = create({ model: "gpt-5-pro" })

test.each([
  ["in UTF-16", Buffer.from(FORBIDDEN, "utf16le")],
  ["in UTF-16, the other way", Buffer.from(FORBIDDEN, "utf16le").swap16()],
  ["of which the gateway reads only the beginning", `{"x":[${"1,".repeat(4_100_000)}1],${FORBIDDEN.slice(1)}`],
  ["with two types", `{"type":"response.create","type":"other","model":"gpt-5-pro","input":"hi"}`],
  ["with its type also in another case", `{"Type":"response.create","type":"other","model":"gpt-5-pro"}`],
  ["that is an array", `[${FORBIDDEN}]`],
  ["that does not end", FORBIDDEN.slice(0, -1)],
])("a message %s does not pass a policy, and the session goes on", async (_name, message) => {
  caller = () => ({ keyId: KEY_ID, policy: { ...NO_POLICY, models: ["gpt-5-mini"] } })
  await start()
  const pair = await open()
  pair.client.send(message)
  expect(JSON.parse(await nextMessage(pair.client))).toMatchObject({ type: "error", status: 400 })
  await respond(pair)
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "complete", requested_model: "gpt-5-mini" })
})

test("a message that is no JSON passes while neither a limit nor a policy applies", async () => {
  await start()
  const { client, far } = await open()
  client.send("no JSON")
  expect(await nextMessage(far)).toBe("no JSON")
})

/** Requests of 1 MiB, of which more than 64 are too much for one session. */
const LARGE = create({ input: "hello ".repeat(175_000) })

test("a session of which too much is running is closed, so that a client cannot take memory without limit", async () => {
  await start()
  const { client } = await open()
  for (let sent = 0; sent < 70; sent++) client.send(LARGE)
  expect(JSON.parse(await nextMessage(client))).toMatchObject({ type: "error", status: 503 })
  expect((await closed(client))[0]).toBe(1008)
  await untilFound(() => pipeline.gateway.counters.sockets.open === 0)
  expect(new Set(pipeline.records.map(({ outcome, status_code }) => `${outcome} ${status_code}`))).toEqual(
    new Set(["shutdown 499"]),
  )
})

test("where requests can be rejected, only those are that are too much, and further ones pass when some have ended", async () => {
  caller = () => ({ keyId: KEY_ID, policy: { ...NO_POLICY, models: ["gpt-5-mini"] } })
  await start()
  const { client, far } = await open()
  for (let sent = 0; sent < 1001; sent++) client.send(create({ stream_id: String(sent) }))
  expect(JSON.parse(await nextMessage(client))).toMatchObject({ type: "error", status: 503, stream_id: "1000" })
  expect(await pipeline.nextRecord()).toMatchObject({ status_code: 503, cost_status: "free" })
  for (const message of [...begun({ stream: "7" }), completed({ stream: "7" })]) far.send(message)
  await typesUntil(client, "response.completed")
  await pipeline.nextRecord()
  const earlier = pipeline.records.length
  client.send(create({ stream_id: "1001" }))
  for (let received = 0; received < 1001; received++) await nextMessage(far)
  expect(pipeline.records).toHaveLength(earlier)
})

test("metadata that only a header can have is required of the handshake", async () => {
  caller = () => ({ keyId: KEY_ID, metadata: { defaults: {}, locked: {}, required: ["Team"] } })
  await start()
  expect(await statusOf()).toBe(400)
})

test("a session without any message for websockets.idle_timeout is closed", async () => {
  await start({ settings: { websockets: { enabled: true, idleTimeoutMs: 300, maxAgeMs: 1e9, maxOpen: 10 } } })
  const { client } = await open()
  expect((await closed(client))[0]).toBe(1001)
  await untilFound(() => pipeline.gateway.counters.sockets.ends.idle === 1)
})

test("a session older than websockets.max_age is closed when no response runs", async () => {
  await start({ settings: { websockets: { enabled: true, idleTimeoutMs: 1e9, maxAgeMs: 1, maxOpen: 10 } } })
  const pair = await open()
  const ended = closed(pair.client)
  await startResponse(pair)
  pair.far.send(completed())
  await typesUntil(pair.client, "response.completed")
  expect((await ended)[0]).toBe(1001)
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "complete", input_tokens: 1000 })
  await untilFound(() => pipeline.gateway.counters.sockets.ends.age === 1)
})

test("a gateway with websockets.max_open sessions rejects further ones with 503", async () => {
  await start({ settings: { websockets: { enabled: true, idleTimeoutMs: 1e9, maxAgeMs: 1e9, maxOpen: 1 } } })
  const { client } = await open()
  expect(await statusOf()).toBe(503)
  client.close()
  await untilFound(() => pipeline.gateway.counters.sockets.open === 0)
  await open()
})

test("a gateway that stops closes idle sessions at once, and others when their response has ended", async () => {
  await start({ deps: { limits } })
  const idle = await open()
  limits.decide = () => {
    throw LIMIT_USED_UP
  }
  idle.client.send(create())
  await nextMessage(idle.client)
  limits.decide = () => {}
  const busy = await open()
  await startResponse(busy)
  const order: string[] = []
  const ends = [
    closed(idle.client).then(([code]) => order.push(`idle ${code}`)),
    closed(busy.client).then(([code]) => order.push(`busy ${code}`)),
  ]
  pipeline.gateway.closeIdleSessions()
  await ends[0]
  busy.far.send(completed())
  expect(await typesUntil(busy.client, "response.completed")).toContain("response.completed")
  await Promise.all(ends)
  expect(order).toEqual(["idle 1001", "busy 1001"])
  await untilFound(() => pipeline.records.length === 2)
  expect(pipeline.records.map(({ outcome }) => outcome)).toEqual(["rejected", "complete"])
})

test("a response that runs when server.shutdown_timeout is over is estimated as shutdown", async () => {
  await start()
  const pair = await open()
  await startResponse(pair)
  pipeline.gateway.closeIdleSessions()
  pipeline.gateway.abortRunning()
  expect(await pipeline.nextRecord()).toMatchObject({ outcome: "shutdown", usage_source: "estimated" })
  await untilFound(() => pipeline.gateway.counters.sockets.ends.shutdown === 1)
  expect(pipeline.gateway.unrecordedRequests()).toBe(0)
})
