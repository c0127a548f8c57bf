import { connect } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { hashKey } from "../../src/core/key.ts"
import { createConnectionCounter } from "../../src/server/connections.ts"
import { startListening } from "../../src/server/listen.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { type OddUpstream, startOddUpstream } from "../support/odd-upstream.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw, type RawClient } from "../support/raw.ts"
import { BODY, bodyOf, exchange, KEY_LINE, request, statusOf } from "./_raw.ts"

let provider: FakeProvider
let gateway: Pipeline
beforeAll(async () => {
  provider = await startFakeProvider()
  gateway = await startPipeline({ upstream: provider.origin })
})
afterAll(async () => {
  await gateway.close()
  await provider.close()
})

const line = (path: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\n`
const CHAT = line("/v1/chat/completions")
const CHUNKED = `Transfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`

describe("[BND-02] a request that is pipelined behind a rejected one is never forwarded", () => {
  const next = request("X-Next: 1\r\n", { close: false })
  test.each([
    ["credentials that were sent twice", `${CHAT}${KEY_LINE}Authorization: a\r\nAuthorization: b\r\n${CHUNKED}`],
    ["a path that begins with two slashes", `${line("//evil/v1/models")}${KEY_LINE}\r\n`],
    ["an absolute target", `${line("http://evil/v1/models")}${KEY_LINE}\r\n`],
    ["an empty Transfer-Encoding", `${CHAT}${KEY_LINE}Transfer-Encoding:\r\n\r\n`],
    ["an unknown key, with a chunked body", `${CHAT}X-Majordomo-Key: mdm_sk_unknown_0123456789\r\n${CHUNKED}`],
    ["an unknown path, with a chunked body", `${line("/nowhere")}${KEY_LINE}${CHUNKED}`],
    [
      "a WebSocket",
      `GET /v1/chat/completions HTTP/1.1\r\nHost: a\r\n${KEY_LINE}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    ],
  ])("%s", async (_, rejected) => {
    const before = gateway.records.length
    const together = await connectRaw(gateway.port)
    together.send(rejected + next)
    const apart = await connectRaw(gateway.port)
    apart.send(rejected)
    apart.send(next)
    const late = await connectRaw(gateway.port)
    late.send(rejected)
    await late.until(/^HTTP\/1\.1 4\d\d/)
    late.send(next)
    for (const client of [together, apart, late]) {
      const answer = await client.closed()
      expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toHaveLength(1)
      expect(statusOf(answer)).toBeGreaterThanOrEqual(400)
    }
    expect(gateway.records.length).toBe(before)
    expect(provider.exchanges).toHaveLength(0)
  })

  test("requests behind one whose short body was read are answered in their order", async () => {
    const client = await connectRaw(gateway.port)
    const rejected = request("", { close: false }).replace(KEY, "mdm_sk_unknown_0123456789")
    client.send(rejected + rejected + request())
    const statuses = (await client.closed()).match(/HTTP\/1\.1 \d{3}/g)
    expect(statuses).toEqual(["HTTP/1.1 401", "HTTP/1.1 401", "HTTP/1.1 200"])
    await gateway.nextRecord()
    provider.reset()
  })
})

test.each([
  ["openai", "/v1/chat/completions", '"code":"upgrade_required"'],
  ["anthropic", "/v1/messages", '"type":"error"'],
  ["gemini", "/v1beta/models/g:generateContent", '"code":426'],
])("[FRM-15] a WebSocket gets 426 in the form of %s, without Upgrade, and is not forwarded", async (_, path, body) => {
  const upgrade = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n`
  const answer = await exchange(gateway.port, request(upgrade, { method: "GET", path, body: "", close: false }))
  expect(statusOf(answer)).toBe(426)
  expect(bodyOf(answer)).toContain(body)
  expect(answer).toMatch(/\r\nConnection: close\r\n/)
  expect(answer).not.toMatch(/\r\nUpgrade:/i)
  expect(provider.exchanges).toHaveLength(0)
})

test("[FRM-15] an upgrade to HTTP/2 that a client offers is ignored", async () => {
  const upgrade = "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
  expect(statusOf(await exchange(gateway.port, request(upgrade)))).toBe(200)
  await gateway.nextRecord()
  provider.reset()
})

test("[BND-07] a client without a key that never reads its answers is disconnected after server.write_timeout", async () => {
  const strict = await startPipeline({ upstream: provider.origin, settings: { writeTimeoutMs: 500 } })
  const client = connect(strict.port, "127.0.0.1").pause()
  let isOpen = true
  client
    .on("error", () => {})
    .on("close", () => {
      isOpen = false
    })
  const requests = "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000)
  const send = () => {
    while (isOpen && client.write(requests));
  }
  client.on("drain", send)
  send()
  // It has sent more than the gateway reads, because the gateway cannot send its answers. It gets a reset when it sends on.
  await expect
    .poll(
      () => {
        client.write("GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
        return isOpen
      },
      { interval: 100 },
    )
    .toBe(false)
  await strict.close()
})

test("[BND-02] an expectation that the gateway does not know is rejected, and its connection closed", async () => {
  const unknown = `${CHAT}${KEY_LINE}Expect: 200-ok\r\nContent-Length: ${BODY.length}\r\n\r\n`
  // A client that waits for the answer never sends that body: what follows would be taken for it.
  const answer = await exchange(gateway.port, unknown + request())
  expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 400"])
  expect(answer).toMatch(/\r\nConnection: close\r\n/)
  expect(bodyOf(answer)).toContain("100-continue")
  expect(provider.exchanges).toHaveLength(0)
})

test("an HTTP/1.0 client, which does not know 100 Continue, gets none", async () => {
  const answer = await exchange(gateway.port, request("Expect: 100-continue\r\n", { version: "1.0" }))
  expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 200"])
  await gateway.nextRecord()
  provider.reset()
})

test("[BND-07] the unread body of a rejected request holds its connection for seconds, not for the keep-alive time", async () => {
  const client = await connectRaw(gateway.port)
  client.send(`${CHAT}Content-Length: 1000\r\n\r\n{`)
  await client.until(/HTTP\/1\.1 401/)
  await client.closed()
})

test("[TMO-04] [TMO-05] a body that arrives slowly is not cut while bytes flow, and 408 follows server.read_timeout without any", async () => {
  const strict = await startPipeline({ upstream: provider.origin, settings: { readTimeoutMs: 1000 } })
  const body = JSON.stringify({ model: "m", messages: [], text: "a".repeat(20) })
  const client = await connectRaw(strict.port)
  client.send(`${CHAT}Connection: close\r\n${KEY_LINE}Content-Length: ${body.length}\r\n\r\n`)
  for (const byte of body) {
    client.send(byte)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(statusOf(await client.closed())).toBe(200)
  await strict.nextRecord()
  const silent = await connectRaw(strict.port)
  silent.send(`${CHAT}${KEY_LINE}Content-Length: 100\r\n\r\n{`)
  expect(statusOf(await silent.closed())).toBe(408)
  expect(await strict.nextRecord()).toMatchObject({ status_code: 408 })
  await strict.close()
  provider.reset()
})

describe("connections of a provider", () => {
  const OTHER = "mdm_sk_other_0123456789abcdefghijklmnop"
  const THIRD = "mdm_sk_third_0123456789abcdefghijklmnop"
  const keys = new Map(
    [KEY, OTHER, THIRD].map((key, i) => [hashKey(key), { keyId: `00000000-0000-7000-8000-00000000000${i}` }]),
  )
  const as = (key: string) => request().replace(KEY, key)
  const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
  let upstream: OddUpstream
  let held: (() => void)[] = []

  async function start(settings: object): Promise<Pipeline> {
    held = []
    upstream = await startOddUpstream((socket) => void held.push(() => socket.write(OK)))
    return startPipeline({ upstream: upstream.origin, settings, findCaller: (hash) => keys.get(hash) })
  }

  async function send(port: number, key: string): Promise<RawClient> {
    const client = await connectRaw(port)
    client.send(as(key))
    return client
  }

  test("[BND-04] one key cannot occupy all of them, and its further requests wait", async () => {
    const shared = await start({ maxConnections: 4 })
    const many = await Promise.all(Array.from({ length: 10 }, () => send(shared.port, KEY)))
    await expect.poll(() => held.length).toBe(4)
    await expect.poll(() => shared.gateway.counters.waitingForProvider).toBe(6)
    const other = await send(shared.port, OTHER)
    await expect.poll(() => held.length).toBe(5)
    held[4]!()
    expect(statusOf(await other.closed())).toBe(200)
    for (let i = 0; i < 10; i++) {
      const next = i < 4 ? i : i + 1
      await expect.poll(() => held.length).toBeGreaterThan(next)
      held[next]!()
    }
    for (const client of many) expect(statusOf(await client.closed())).toBe(200)
    expect(shared.gateway.counters.waitingForProvider).toBe(0)
    await shared.close()
    await upstream.close()
  })

  test("[BND-05] a request that waits too long gets 503 with Retry-After, a row, and is counted", async () => {
    const shared = await start({ maxConnections: 1, queueTimeoutMs: 200 })
    await send(shared.port, KEY)
    await expect.poll(() => held.length).toBe(1)
    const answer = await (await send(shared.port, KEY)).closed()
    expect(statusOf(answer)).toBe(503)
    expect(answer).toMatch(/Retry-After: \d+/)
    expect(answer).toContain("provider_busy")
    expect(await shared.nextRecord()).toMatchObject({ status_code: 503, outcome: "complete" })
    expect(shared.gateway.counters).toMatchObject({ waitingForProvider: 0, providerTimeouts: 1 })
    expect(upstream.requests).toHaveLength(1)
    await shared.close()
    await upstream.close()
  })

  test("[BND-05] a client that leaves while it waits frees its place, and is never forwarded", async () => {
    const shared = await start({ maxConnections: 1 })
    const first = await send(shared.port, KEY)
    await expect.poll(() => held.length).toBe(1)
    const second = await send(shared.port, KEY)
    await expect.poll(() => shared.gateway.counters.waitingForProvider).toBe(1)
    second.close()
    await expect.poll(() => shared.gateway.counters.waitingForProvider).toBe(0)
    held[0]!()
    expect(statusOf(await first.closed())).toBe(200)
    expect(upstream.requests).toHaveLength(1)
    expect([(await shared.nextRecord()).status_code, (await shared.nextRecord()).status_code].sort()).toEqual([
      200, 499,
    ])
    await shared.close()
    await upstream.close()
  })
})

test("[LIM-08] connections beyond the limits get 503, and are counted", async () => {
  const connections = createConnectionCounter({ maxConnections: 3, maxConnectionsPerAddress: 2 })
  const listener = await startListening((_, response) => void response.end("ok"), {
    host: "127.0.0.1",
    port: 0,
    readTimeoutMs: 60_000,
    writeTimeoutMs: 60_000,
    connections,
    isWorker: true,
  })
  const [first] = await Promise.all([connectRaw(listener.port), connectRaw(listener.port)])
  await expect.poll(() => connections.stats().open).toBe(2)
  const answer = await exchange(listener.port, request())
  expect(statusOf(answer)).toBe(503)
  expect(answer).toMatch(/Retry-After: \d+/)
  expect(connections.stats()).toMatchObject({ open: 2, rejectedPerAddress: 1, rejectedInAll: 0 })
  first.close()
  await expect.poll(() => connections.stats().open).toBe(1)
  expect(statusOf(await exchange(listener.port, request()))).toBe(200)
  listener.closeConnections()
  await listener.close()
})
