import { once } from "node:events"
import { createServer, type IncomingMessage, request as requestHttp } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { afterEach, describe, expect, test } from "vitest"
import WebSocket from "ws"
import { startConnectProxy } from "../../support/connect-proxy.ts"
import { headLines, type OddUpstream, startOddUpstream } from "../../support/odd-upstream.ts"
import { KEY, type Pipeline } from "../../support/pipeline.ts"
import { connectRaw } from "../../support/raw.ts"
import { price } from "./_responses.ts"
import { connectSocket, type SocketProvider, startSocketPipeline, startSocketProvider } from "./_sockets.ts"

const HANDSHAKE =
  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
const PATH = "/v1/realtime"

const opened: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close()
})

function own<T extends { close(): Promise<unknown> }>(part: T): T {
  opened.push(part)
  return part
}

async function start(
  options: Omit<Parameters<typeof startSocketPipeline>[1], never> = {},
): Promise<{ provider: SocketProvider; pipeline: Pipeline }> {
  const provider = own(await startSocketProvider())
  return { provider, pipeline: own(await startSocketPipeline(provider.origin, options)) }
}

/** Starts a gateway before a provider that answers handshakes as the test says. */
async function startOdd(
  answer: Parameters<typeof startOddUpstream>[0],
  options: Parameters<typeof startSocketPipeline>[1] = {},
): Promise<{
  upstream: OddUpstream
  pipeline: Pipeline
}> {
  const upstream = own(await startOddUpstream(answer))
  return { upstream, pipeline: own(await startSocketPipeline(upstream.origin, { price, ...options })) }
}

function toHandshake(headers = "", path = PATH, key = `X-Majordomo-Key: ${KEY}\r\n`): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${key}Authorization: Bearer sk-test\r\n${HANDSHAKE}${headers}\r\n`
}

describe("a WebSocket", () => {
  test("passes messages in both directions, and its session has one row", async () => {
    const { provider, pipeline } = await start()
    const client = await connectSocket(pipeline)
    const far = await provider.accepted()
    client.send("hello")
    expect(await nextText(far)).toBe("hello")
    far.send("good day")
    expect(await nextText(client)).toBe("good day")
    client.close(1000, "done")
    const [code, reason] = (await once(far, "close")) as [number, Buffer]
    expect([code, String(reason)]).toEqual([1000, "done"])
    const row = await pipeline.nextRecord()
    expect(row).toMatchObject({ status_code: 101, request_path: PATH, outcome: "complete" })
    expect(pipeline.gateway.unrecordedRequests()).toBe(0)
    expect(pipeline.records).toHaveLength(1)
  })

  test("is agreed by the two ends: subprotocol, compression and query pass, hop-by-hop and gateway headers do not", async () => {
    const provider = own(await startSocketProvider({ perMessageDeflate: true }))
    const pipeline = own(await startSocketPipeline(`${provider.origin}/base`))
    const client = await connectSocket(pipeline, { subprotocols: ["realtime", "other"], headers: { "x-own": "1" } })
    expect([client.protocol, client.extensions]).toEqual(["realtime", expect.stringContaining("permessage-deflate")])
    const [handshake] = provider.handshakes
    expect(handshake!.url).toBe("/base/v1/realtime?model=gpt-realtime")
    expect(handshake!.headers).toMatchObject({ authorization: "Bearer sk-test", "x-own": "1", upgrade: "websocket" })
    expect(Object.keys(handshake!.headers).filter((name) => name.startsWith("x-majordomo"))).toEqual([])
    const text = "compressed ".repeat(1000)
    client.send(text)
    expect(await nextText(await provider.accepted())).toBe(text)
    client.terminate()
    await pipeline.nextRecord()
  })

  test("has the id of its row in the answer, and what the provider sends with its head reaches the client", async () => {
    const early = "\x81\x05early"
    const { pipeline } = await startOdd((socket) =>
      socket.write(
        `HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Far: 1\r\n\r\n${early}`,
        "latin1",
      ),
    )
    const client = await connectRaw(pipeline.port)
    client.send(toHandshake())
    const answer = await client.until(/early/)
    expect(answer).toMatch(/^HTTP\/1\.1 101 /)
    expect(answer).toMatch(/\r\nX-Far: 1\r\n/)
    client.close()
    expect(answer).toContain(`X-Majordomo-Request-Id: ${(await pipeline.nextRecord()).id}`)
  })

  test("takes no connection from other requests of the key once it is open", async () => {
    const { provider, pipeline } = await start({ settings: { maxConnections: 1, queueTimeoutMs: 500 } })
    const clients: WebSocket[] = []
    for (let i = 0; i < 5; i++) clients.push(await connectSocket(pipeline))
    expect(provider.server.clients.size).toBe(5)
    for (const client of clients) client.terminate()
    for (const _ of clients) await pipeline.nextRecord()
  })

  test("reaches its provider through the proxy of the environment", async () => {
    const proxy = own(await startConnectProxy())
    const provider = own(await startSocketProvider())
    const baseUrl = provider.origin.replace("127.0.0.1", "provider.example")
    const url = `http://127.0.0.1:${proxy.port}`
    const pipeline = own(
      await startSocketPipeline(baseUrl, { settings: { proxies: { http: url, https: url, except: [] } } }),
    )
    const client = await connectSocket(pipeline)
    expect(proxy.targets).toEqual([new URL(baseUrl).host])
    client.terminate()
    await pipeline.nextRecord()
  })
})

describe("a handshake that opens no WebSocket", () => {
  test.each([401, 404, 426, 503])("gets the provider's own answer with status %i, and one row", async (status) => {
    const { upstream, pipeline } = await startOdd((socket) =>
      socket.write(
        `HTTP/1.1 ${status} No\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{"error":"never"}`,
      ),
    )
    const client = await connectRaw(pipeline.port)
    client.send(toHandshake())
    const answer = await client.closed()
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(answer).toMatch(/\{"error":"never"\}$/)
    expect(await pipeline.nextRecord()).toMatchObject({ status_code: status, outcome: "complete" })
    expect(headLines(upstream.requests[0]!)).toContain("upgrade: websocket")
  })

  test("gets 502 if the provider cannot be reached, and a row", async () => {
    const pipeline = own(await startSocketPipeline("http://127.0.0.1:1", { price }))
    const client = await connectRaw(pipeline.port)
    client.send(toHandshake())
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 502 /)
    expect(await pipeline.nextRecord()).toMatchObject({ status_code: 502, cost_status: "free" })
  })

  test("has a row that says so when the client leaves before the answer", async () => {
    const { upstream, pipeline } = await startOdd(() => {})
    const client = await connectRaw(pipeline.port)
    client.send(toHandshake())
    while (upstream.requests.length === 0) await new Promise(setImmediate)
    client.socket.end()
    expect(await pipeline.nextRecord()).toMatchObject({
      status_code: 499,
      outcome: "client_left",
      cost_status: "free",
    })
  })

  test.each([
    ["ends its connection", (socket: Duplex) => socket.end()],
    ["resets its connection", (socket: Duplex) => socket.destroy()],
  ])("a provider that accepts and %s at once ends the session", async (_name, leave) => {
    const { pipeline } = await startOdd((socket) => {
      socket.write("HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", () => leave(socket))
    })
    const client = await connectRaw(pipeline.port)
    client.socket.once("end", () => client.socket.end())
    client.send(toHandshake())
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 101 /)
    expect(await pipeline.nextRecord()).toMatchObject({ status_code: 101 })
  })

  test.each([
    ["401 without a valid key", toHandshake("", PATH, "X-Majordomo-Key: mdm_sk_unknown_0123456789\r\n"), 401],
    ["426 at a path without WebSockets", toHandshake("", "/v1/chat/completions"), 426],
    ["400 with another method", toHandshake().replace("GET", "POST"), 400],
    ["400 with a body", toHandshake("Content-Length: 5\r\n").concat("hello"), 400],
    [
      "426 without Connection: Upgrade",
      toHandshake("Connection: close\r\n").replace("Connection: Upgrade\r\n", ""),
      426,
    ],
    ["426 in HTTP/1.0", toHandshake().replace("HTTP/1.1", "HTTP/1.0").replace("Connection: Upgrade\r\n", ""), 426],
  ])("gets %s", async (_name, bytes, status) => {
    const { provider, pipeline } = await start()
    const client = await connectRaw(pipeline.port)
    client.send(bytes)
    expect(await client.closed()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(provider.handshakes).toEqual([])
    expect(pipeline.records).toEqual([])
  })

  test("counts toward websockets.max_open until it is answered, so that slow answers let no more in", async () => {
    const websockets = { enabled: true, idleTimeoutMs: 1e9, maxAgeMs: 1e9, maxOpen: 1 }
    const { upstream, pipeline } = await startOdd(() => {}, { settings: { websockets } })
    const first = await connectRaw(pipeline.port)
    first.send(toHandshake())
    while (upstream.requests.length === 0) await new Promise(setImmediate)
    const second = await connectRaw(pipeline.port)
    second.send(toHandshake())
    expect(await second.closed()).toMatch(/^HTTP\/1\.1 503 /)
    first.socket.end()
    await pipeline.nextRecord()
    const third = await connectRaw(pipeline.port)
    third.send(toHandshake())
    while (upstream.requests.length === 1) await new Promise(setImmediate)
    third.socket.end()
    await pipeline.nextRecord()
  })

  test("gets 426 where WebSockets are turned off", async () => {
    const { pipeline } = await start({ settings: { websockets: { enabled: false } } })
    const client = await connectRaw(pipeline.port)
    client.send(toHandshake())
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 426 .*websockets\.enabled/s)
  })

  test("is not served before the answer to the request before it, on the same connection", async () => {
    const { upstream, pipeline } = await startOdd(() => {})
    const client = await connectRaw(pipeline.port)
    client.send(`GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Majordomo-Key: ${KEY}\r\n\r\n${toHandshake()}`)
    while (upstream.requests.length === 0) await new Promise(setImmediate)
    client.close()
    await pipeline.nextRecord()
    expect(upstream.requests).toHaveLength(1)
  })
})

test("a request that offers another upgrade is served as if it had not, with its body and on the same connection", async () => {
  const { upstream, pipeline } = await startOdd((socket) =>
    socket.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"),
  )
  const body = JSON.stringify({ model: "gpt-4o-mini", input: "hello ".repeat(20_000) })
  const client = await connectRaw(pipeline.port)
  for (let count = 1; count <= 2; count++) {
    client.send(
      `POST /v1/responses HTTP/1.1\r\nHost: a\r\nX-Majordomo-Key: ${KEY}\r\nConnection: Upgrade, HTTP2-Settings\r\n` +
        `Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await client.until(new RegExp(`^(?:.*HTTP/1\\.1 200.*){${count}}$`, "s"))
    await pipeline.nextRecord()
    expect(upstream.requests).toHaveLength(count)
    expect(upstream.requests.at(-1)!.endsWith(body)).toBe(true)
  }
  client.close()
  expect(client.received().match(/HTTP\/1\.1 200/g)).toHaveLength(2)
})

describe("credentials of a handshake", () => {
  const KEY_PROTOCOL = "openai-insecure-api-key."

  test("the provider's key can stand in a subprotocol, and the row has its hash", async () => {
    const { provider, pipeline } = await start()
    const client = await open(pipeline, ["realtime", `${KEY_PROTOCOL}sk-proj-in-a-browser`], { "x-majordomo-key": KEY })
    expect(provider.handshakes[0]!.headers["sec-websocket-protocol"]).toBe(
      `realtime,${KEY_PROTOCOL}sk-proj-in-a-browser`,
    )
    client.terminate()
    const row = await pipeline.nextRecord()
    expect(row.provider_api_key_hash).toBeDefined()
    expect(JSON.stringify(row)).not.toContain("in-a-browser")
  })

  test("the gateway key can stand there instead, and never reaches the provider", async () => {
    const provider = own(await startSocketProvider())
    const supplied = { id: "1", alias: "team", kind: "key", secret: "sk-of-the-vault" } as const
    const pipeline = own(await startSocketPipeline(provider.origin, { deps: { findCredential: () => supplied } }))
    const client = await open(pipeline, ["realtime", KEY_PROTOCOL + KEY], {})
    const { headers, rawHeaders } = provider.handshakes[0] as IncomingMessage
    expect(headers["sec-websocket-protocol"]).toBe("realtime")
    expect(headers.authorization).toBe("Bearer sk-of-the-vault")
    expect(rawHeaders.join()).not.toContain("mdm_sk_")
    client.terminate()
    await pipeline.nextRecord()
  })

  test("a key of another provider's in a subprotocol is rejected", async () => {
    const { provider, pipeline } = await start()
    const status = await refusal(pipeline, {
      "x-majordomo-key": KEY,
      "x-majordomo-provider": "anthropic",
      "sec-websocket-protocol": `${KEY_PROTOCOL}sk-proj-test-of-openai`,
    })
    expect([400, 426]).toContain(status)
    expect(provider.handshakes).toEqual([])
  })

  /** Opens a WebSocket without the header Authorization, as a browser does. */
  async function open(pipeline: Pipeline, protocols: string[], headers: Record<string, string>): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${pipeline.port}${PATH}`, protocols, { headers })
    await once(socket, "open")
    return socket
  }

  async function refusal(pipeline: Pipeline, headers: Record<string, string>): Promise<number | undefined> {
    const request = requestHttp({
      port: pipeline.port,
      path: PATH,
      headers: { ...headers, upgrade: "websocket", connection: "Upgrade", "sec-websocket-version": "13" },
    }).end()
    const [response] = (await once(request, "response")) as [IncomingMessage]
    response.resume()
    return response.statusCode
  }
})

test("errors of both connections at any time are no uncaught exceptions", async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  let resets = 0
  server.on("upgrade", (_request, socket) => {
    socket.on("error", () => {})
    socket.once("end", () => socket.destroy()).resume()
    socket.write("HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    socket.write(Buffer.alloc(100_000, 0x82))
    if (resets++ % 2 === 0) (socket as unknown as { resetAndDestroy(): void }).resetAndDestroy()
  })
  const { port } = server.address() as AddressInfo
  const pipeline = own(await startSocketPipeline(`http://127.0.0.1:${port}`))
  for (let i = 0; i < 20; i++) {
    const client = await connectRaw(pipeline.port)
    client.send(toHandshake())
    if (i % 3 > 0) await client.until(/101/).catch(() => {})
    client.socket.resetAndDestroy()
    while (pipeline.gateway.openRequests() > 0 || pipeline.gateway.unrecordedRequests() > 0)
      await new Promise(setImmediate)
  }
  // A reset can take a request with it before it is read. The others have a row each.
  expect(pipeline.records.length).toBeGreaterThanOrEqual(10)
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

async function nextText(socket: WebSocket): Promise<string> {
  const [data] = (await once(socket, "message")) as [Buffer]
  return data.toString()
}
