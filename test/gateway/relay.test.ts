import { createServer } from "node:net"
import { gunzipSync } from "node:zlib"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { type FakeProvider, type Script, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"

let fakeProvider: FakeProvider
let gateway: Pipeline
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  gateway = await startPipeline({ upstream: fakeProvider.origin })
})
afterEach(() => fakeProvider.reset())
afterAll(async () => {
  await gateway.close()
  await fakeProvider.close()
})

const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Tell me a story" }] }

function post(path: string, body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal) {
  return fetch(gateway.origin + path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-majordomo-key": KEY, authorization: "Bearer sk-x", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal,
  })
}

test("pieces of a stream that arrive together leave together, unchanged", async () => {
  fakeProvider.next({ pieces: 40, burst: 10 })
  const client = await connectRaw(gateway.port)
  const body = JSON.stringify({ ...CHAT, stream: true, stream_options: { include_usage: true } })
  client.send(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Majordomo-Key: ${KEY}\r\n` +
      `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  )
  const answer = await client.closed()
  const { sentBody, tokens } = await fakeProvider.nextRequest()
  const chunks = answer.slice(answer.indexOf("\r\n\r\n") + 4).split(/(?:^|\r\n)[0-9a-f]+\r\n/)
  expect(chunks.join("").trimEnd()).toBe(sentBody.toString("latin1").trimEnd())
  // The provider sends each of its 44 pieces in a chunk of its own.
  expect(chunks.filter((chunk) => chunk.trim() !== "").length).toBeLessThan(12)
  expect((await gateway.nextRecord()).output_tokens).toBe(tokens.output)
})

describe("an answer that is not a stream", () => {
  test("reaches the client byte for byte, with its length, its cost and its request id", async () => {
    const response = await post("/v1/chat/completions", CHAT)
    const bytes = Buffer.from(await response.arrayBuffer())
    const exchange = await fakeProvider.nextRequest()
    const record = await gateway.nextRecord()
    expect(bytes).toEqual(exchange.sentBody)
    expect(response.headers.get("content-length")).toBe(String(bytes.length))
    expect(response.headers.get("x-majordomo-cost")).toBe("0.0003")
    expect(response.headers.get("x-majordomo-cost-status")).toBe("exact")
    expect(response.headers.get("x-majordomo-request-id")).toBe(record.id)
    expect(record).toMatchObject({ status_code: 200, outcome: "complete", streamed: false, model: "gpt-4o-mini" })
    expect(record.input_tokens).toBe(exchange.tokens.input)
    expect(record.output_tokens).toBe(exchange.tokens.output)
  })

  test.each(["gzip", "br", "deflate"] as const)(
    "compressed with %s stays as it came and is metered",
    async (encoding) => {
      fakeProvider.next({ encoding, textBytes: 5000 })
      const client = await connectRaw(gateway.port)
      const body = JSON.stringify(CHAT)
      client.send(
        `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Majordomo-Key: ${KEY}\r\nAccept-Encoding: ${encoding}\r\n` +
          `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      )
      const answer = Buffer.from(await client.closed(), "latin1")
      const exchange = await fakeProvider.nextRequest()
      const record = await gateway.nextRecord()
      expect(answer.subarray(answer.indexOf("\r\n\r\n") + 4)).toEqual(exchange.sentBody)
      expect(answer.toString("latin1")).toMatch(new RegExp(`content-encoding: ${encoding}`, "i"))
      expect(record.output_tokens).toBe(exchange.tokens.output)
      if (encoding === "gzip") expect(JSON.parse(gunzipSync(exchange.sentBody).toString()).usage).toBeDefined()
    },
  )

  test("above 1 MiB is streamed, without cost headers, and metered all the same", async () => {
    fakeProvider.next({ textBytes: 3_000_000, chunked: true })
    const response = await post("/v1/chat/completions", CHAT)
    const bytes = Buffer.from(await response.arrayBuffer())
    const exchange = await fakeProvider.nextRequest()
    expect(bytes.equals(exchange.sentBody)).toBe(true)
    expect(response.headers.get("x-majordomo-cost")).toBeNull()
    expect((await gateway.nextRecord()).output_tokens).toBe(exchange.tokens.output)
  })

  test("an error of the provider passes unchanged, and the row has its message", async () => {
    fakeProvider.next({
      status: 429,
      headers: ["retry-after", "7"],
      body: '{"error":{"message":"Rate limit reached","type":"x"}}',
    })
    const response = await post("/v1/chat/completions", CHAT)
    expect(response.status).toBe(429)
    expect(response.headers.get("retry-after")).toBe("7")
    expect(await response.text()).toBe('{"error":{"message":"Rate limit reached","type":"x"}}')
    expect(await gateway.nextRecord()).toMatchObject({ status_code: 429, error_message: "Rate limit reached" })
  })

  test("repeated response headers keep their number and order", async () => {
    fakeProvider.next({ headers: ["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Odd", "caf\u00e9"] })
    const response = await post("/v1/chat/completions", CHAT)
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"])
    expect(response.headers.get("x-odd")).toBe("caf\u00e9")
    await response.arrayBuffer()
    await gateway.nextRecord()
  })
})

describe("a stream", () => {
  test("is passed on piece by piece: the first one arrives before the provider sends the second", async () => {
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    fakeProvider.next({ pieces: 4, beforePiece: (index) => (index === 1 ? held : undefined) })
    const response = await post("/v1/chat/completions", {
      ...CHAT,
      stream: true,
      stream_options: { include_usage: true },
    })
    const reader = response.body!.getReader()
    const first = await reader.read()
    expect(first.done).toBe(false)
    letGo()
    const pieces = [Buffer.from(first.value!)]
    for (let read = await reader.read(); !read.done; read = await reader.read()) pieces.push(Buffer.from(read.value))
    const exchange = await fakeProvider.nextRequest()
    const record = await gateway.nextRecord()
    expect(Buffer.concat(pieces)).toEqual(exchange.sentBody)
    expect(record).toMatchObject({ streamed: true, outcome: "complete", usage_source: "reported" })
    expect(record.output_tokens).toBe(exchange.tokens.output)
    expect(response.headers.get("x-majordomo-cost")).toBeNull()
  })

  test("without include_usage gets the bytes it would have got without the gateway, and is metered", async () => {
    const body = { ...CHAT, stream: true }
    const direct = await fetch(`${fakeProvider.origin}/v1/chat/completions`, {
      method: "POST",
      body: JSON.stringify(body),
    })
    const expected = Buffer.from(await direct.arrayBuffer())
    fakeProvider.reset()
    const through = Buffer.from(await (await post("/v1/chat/completions", body)).arrayBuffer())
    const exchange = await fakeProvider.nextRequest()
    expect(through.toString()).toBe(expected.toString())
    expect(exchange.json).toMatchObject({ stream_options: { include_usage: true } })
    const record = await gateway.nextRecord()
    expect(record.usage_source).toBe("reported")
    expect(record.output_tokens).toBe(exchange.tokens.output)
  })

  test("of a provider that rejects stream_options is requested again without them", async () => {
    fakeProvider.next({ refuseIncludeUsage: true })
    const response = await post("/v1/chat/completions", { ...CHAT, stream: true })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain("data: [DONE]")
    expect(fakeProvider.exchanges.map(({ json }) => (json as { stream_options?: unknown }).stream_options)).toEqual([
      { include_usage: true },
      undefined,
    ])
    await gateway.nextRecord()
    expect(gateway.records.at(-1)!.status_code).toBe(200)
  })

  test("that the provider breaks off is broken off for the client too, never ended regularly", async () => {
    fakeProvider.next({ pieces: 6, breakAfterPieces: 3 })
    const response = await post("/v1/chat/completions", { ...CHAT, stream: true })
    await expect(response.text()).rejects.toThrow()
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "upstream_broke", status_code: 200, streamed: true })
  })

  test("whose client disconnects is aborted at the provider, and has a row", async () => {
    fakeProvider.next({ pieces: 6, hangAfterPieces: 2 })
    const leaving = new AbortController()
    const response = await post("/v1/chat/completions", { ...CHAT, stream: true }, {}, leaving.signal)
    await response.body!.getReader().read()
    leaving.abort()
    const exchange = await fakeProvider.nextRequest()
    expect(await exchange.ended).toBe("caller_left")
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "client_left", status_code: 200 })
  })

  test.each([
    ["/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"],
    ["/v1beta/models/gemini-2.5-flash:streamGenerateContent"],
  ])("of Gemini at %s passes unchanged and is metered", async (path) => {
    const response = await post(
      path,
      { contents: [{ role: "user", parts: [{ text: "Hi there" }] }] },
      { "x-goog-api-key": "g" },
    )
    const bytes = Buffer.from(await response.arrayBuffer())
    const exchange = await fakeProvider.nextRequest()
    expect(bytes).toEqual(exchange.sentBody)
    expect(await gateway.nextRecord()).toMatchObject({
      provider: "gemini",
      streamed: true,
      input_tokens: exchange.tokens.input,
      output_tokens: exchange.tokens.output,
    })
  })

  test("of Anthropic passes unchanged and is metered", async () => {
    const body = { model: "claude-sonnet-4-5", max_tokens: 99, stream: true, messages: CHAT.messages }
    const response = await post("/v1/messages", body, { "x-api-key": "a", "anthropic-version": "2023-06-01" })
    const bytes = Buffer.from(await response.arrayBuffer())
    const exchange = await fakeProvider.nextRequest()
    expect(bytes).toEqual(exchange.sentBody)
    expect(await gateway.nextRecord()).toMatchObject({
      provider: "anthropic",
      input_tokens: exchange.tokens.input,
      output_tokens: exchange.tokens.output,
    })
  })
})

describe("a client that stops reading", () => {
  test("slows the provider down, and is disconnected after the write timeout, with a row", async () => {
    const strict = await startPipeline({ upstream: fakeProvider.origin, settings: { writeTimeoutMs: 300 } })
    fakeProvider.next({ textBytes: 30_000_000, chunked: true, chunkBytes: 65_536 })
    const client = await connectRaw(strict.port)
    client.socket.pause()
    const body = JSON.stringify(CHAT)
    client.send(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Majordomo-Key: ${KEY}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    expect(await strict.nextRecord()).toMatchObject({ outcome: "client_left", status_code: 200 })
    expect(await (await fakeProvider.nextRequest()).ended).toBe("caller_left")
    client.close()
    await strict.close()
  })
})

describe("a provider that fails", () => {
  test("before its head: 502 in the client's dialect, without an address, and a row", async () => {
    fakeProvider.next({ breakAfterPieces: 0 })
    const response = await post("/v1/messages", { model: "claude-x", max_tokens: 1, messages: [] })
    expect(response.status).toBe(502)
    const text = await response.text()
    expect(JSON.parse(text)).toMatchObject({ type: "error", error: { type: expect.any(String) } })
    expect(text).not.toContain("127.0.0.1")
    expect(await gateway.nextRecord()).toMatchObject({ status_code: 502, outcome: "complete", provider: "anthropic" })
  })

  test("by never answering: 504 after the first-byte timeout", async () => {
    const impatient = await startPipeline({ upstream: fakeProvider.origin, settings: { firstByteTimeoutMs: 300 } })
    fakeProvider.next({ never: true })
    const response = await fetch(`${impatient.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { "x-majordomo-key": KEY },
      body: JSON.stringify(CHAT),
    })
    expect(response.status).toBe(504)
    expect(await response.json()).toMatchObject({ error: { code: "provider_timeout" } })
    expect(await impatient.nextRecord()).toMatchObject({ status_code: 504 })
    await impatient.close()
  })

  test.each([
    ["that node will not send", "HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nhi", 502],
    ["that is no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", 502],
    ["with two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", 502],
    ["that switches protocols unasked", "HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 502],
    ["with a trailer beside a length", "HTTP/1.1 200 OK\r\nTrailer: Expires\r\nContent-Length: 2\r\n\r\nhi", 200],
    [
      "after two informational ones",
      "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
      200,
    ],
  ])("by a head %s: only that request fails", async (_, answer, status) => {
    const odd = createServer((socket) => socket.once("data", () => socket.end(answer)))
    await new Promise<void>((resolve) => odd.listen(0, "127.0.0.1", resolve))
    const { port } = odd.address() as { port: number }
    const strange = await startPipeline({ upstream: `http://127.0.0.1:${port}` })
    const response = await fetch(`${strange.origin}/v1/models`, { headers: { "x-majordomo-key": KEY } })
    expect(response.status).toBe(status)
    await response.arrayBuffer()
    expect((await strange.nextRecord()).status_code).toBe(status)
    await strange.close()
    odd.close()
  })

  test.each<[string, Script]>([
    ["an empty body", { body: "" }],
    ["a body that is no JSON", { body: "<html>", contentType: "text/html" }],
    ["JSON with a byte order mark", { body: '\ufeff{"a":1}' }],
  ])("is not %s: it passes", async (_, script) => {
    fakeProvider.next(script)
    const response = await post("/v1/chat/completions", CHAT)
    expect(response.status).toBe(200)
    const bytes = Buffer.from(await response.arrayBuffer())
    expect(bytes).toEqual((await fakeProvider.nextRequest()).sentBody)
    expect((await gateway.nextRecord()).status_code).toBe(200)
  })
})
