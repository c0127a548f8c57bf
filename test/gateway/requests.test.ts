import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"

let fakeProvider: FakeProvider
let gateway: Pipeline
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  gateway = await startPipeline({ upstream: fakeProvider.origin, settings: { maxBodyBytes: 1000 } })
})
afterEach(() => fakeProvider.reset())
afterAll(async () => {
  await gateway.close()
  await fakeProvider.close()
})

const BODY = '{"model":"m","messages":[]}'

async function exchangeRaw(request: string): Promise<string> {
  const client = await connectRaw(gateway.port)
  client.send(request)
  return client.closed()
}

function chat(headers: string, body = BODY, path = "/v1/chat/completions"): string {
  return `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`
}

describe("the key", () => {
  test.each([
    ["missing", ""],
    ["unknown", "X-Majordomo-Key: mdm_sk_unknown_0123456789012345678901\r\n"],
    ["malformed", "X-Majordomo-Key: sk-ant-123\r\n"],
    ["under a look-alike name", `X_Majordomo_Key: ${KEY}\r\n`],
  ])("%s: 401 in the dialect, no row, no upstream call", async (_, header) => {
    const before = gateway.records.length
    const answer = await exchangeRaw(chat(header))
    expect(answer).toMatch(/^HTTP\/1.1 401 /)
    expect(answer).toContain('"code":"invalid_gateway_key"')
    expect(gateway.records.length).toBe(before)
    expect(fakeProvider.exchanges.length).toBe(0)
  })

  test("that cannot be checked: 503 with Retry-After, never 401", async () => {
    const down = await startPipeline({
      upstream: fakeProvider.origin,
      findCaller: () => Promise.reject(new Error("database away")),
    })
    const response = await fetch(`${down.origin}/v1/models`, { headers: { "x-majordomo-key": KEY } })
    expect(response.status).toBe(503)
    expect(response.headers.get("retry-after")).not.toBeNull()
    await down.close()
  })

  test("is rejected before the body is read: no 100 Continue for an unknown key", async () => {
    const client = await connectRaw(gateway.port)
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n")
    const answer = await client.closed()
    expect(answer).toMatch(/^HTTP\/1.1 401 /)
  })

  test("that is rejected keeps its connection open if the body is short, and closes it if the body is long", async () => {
    const client = await connectRaw(gateway.port)
    client.send("GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
    await client.until(/HTTP\/1.1 401 /)
    const unknown = "X-Majordomo-Key: mdm_sk_unknown_0123456789012345678901\r\n"
    const head = "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
    client.send(`${head}${unknown}Content-Length: ${BODY.length}\r\n\r\n${BODY}`)
    await client.until(/(?:HTTP\/1.1 401 [\s\S]*){2}/)
    client.send(`${head}Connection: close\r\nX-Majordomo-Key: ${KEY}\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`)
    expect(await client.closed()).toMatch(/HTTP\/1.1 200 /)
    await gateway.nextRecord()

    const long = await connectRaw(gateway.port)
    long.send(`${head}${unknown}Content-Length: 100000\r\n\r\n`)
    expect(await long.closed()).toMatch(/^connection: close/im)
  })

  test("that is valid is answered with 100 Continue", async () => {
    const client = await connectRaw(gateway.port)
    client.send(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Majordomo-Key: ${KEY}\r\nExpect: 100-continue\r\nContent-Length: ${BODY.length}\r\n\r\n`,
    )
    await client.until(/^HTTP\/1.1 100 /)
    client.send(BODY)
    expect(await client.closed()).toMatch(/HTTP\/1.1 200 /)
    await gateway.nextRecord()
  })
})

describe("what is forwarded to the provider", () => {
  test("is every header except hop-by-hop ones, those that Connection names, Host and the gateway's own", async () => {
    await exchangeRaw(
      `POST /v1/chat/completions?b=1&a=%20&a= HTTP/1.1\r\nHost: evil.example\r\nConnection: close, X-A,, x-b\r\nKeep-Alive: 5\r\n` +
        `X-A: 1\r\nx-b: 2\r\nX-C: 3\r\nTE: trailers\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\nTrailers: kept\r\n` +
        `X-Majordomo-Key: ${KEY}\r\nx-MAJORDOMO-Feature: chat\r\nAccept-Encoding: gzip, zstdx, br;q=0.5\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
    )
    const { rawHeaders, url, headers } = await fakeProvider.nextRequest()
    const names = rawHeaders.filter((_, index) => index % 2 === 0)
    expect(url).toBe("/v1/chat/completions?b=1&a=%20&a=")
    expect(names).toContain("X-C")
    expect(names).toContain("Trailers")
    expect(headers.te).toBe("trailers")
    expect(headers["accept-encoding"]).toBe("gzip, br;q=0.5")
    expect(headers.host).toBe(new URL(fakeProvider.origin).host)
    expect(headers["user-agent"]).toBeUndefined()
    const unwanted = names.filter((name) =>
      /^(x-a|x-b|keep-alive|proxy-authorization|upgrade|x-majordomo-.*)$/i.test(name),
    )
    expect(unwanted).toEqual([])
    expect((await gateway.nextRecord()).raw_metadata).toEqual({ Feature: "chat" })
  })

  test("is the body, byte for byte", async () => {
    const body = Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x20, 0x22, 0xff, 0x00, 0x22, 0x7d])
    await fetch(`${gateway.origin}/v1/files`, { method: "POST", headers: { "x-majordomo-key": KEY }, body })
    expect((await fakeProvider.nextRequest()).body).toEqual(body)
    await gateway.nextRecord()
  })

  test.each([
    ["/v1/chat/completions", "gemini", "/v1beta/openai/chat/completions", "gemini"],
    ["/v1/chat/completions", "gemini-openai", "/v1beta/openai/chat/completions", "gemini"],
    ["/chat/completions", "Gemini", "/v1beta/openai/chat/completions", "gemini"],
    ["/v1/chat/completions", "anthropic", "/v1/chat/completions", "anthropic"],
    ["/v1/chat/completions", "anthropic-openai", "/v1/chat/completions", "anthropic"],
    ["/anything/at/all", "openai", "/anything/at/all", "openai"],
  ])("%s with X-Majordomo-Provider: %s goes to %s of %s", async (path, named, expected, provider) => {
    await exchangeRaw(chat(`X-Majordomo-Key: ${KEY}\r\nX-Majordomo-Provider: ${named}\r\n`, BODY, path))
    expect((await fakeProvider.nextRequest()).url).toBe(expected)
    expect((await gateway.nextRecord()).provider).toBe(provider)
  })
})

describe("a rejected request", () => {
  const key = `X-Majordomo-Key: ${KEY}\r\n`
  test.each([
    ["an absolute target", chat(key, BODY, "http://evil.example/v1/chat/completions"), 400],
    ["a target with two slashes", chat(key, BODY, "//evil.example/v1/chat/completions"), 400],
    ["two keys", chat(`${key}${key}`), 400],
    ["two credentials", chat(`${key}Authorization: Bearer a\r\nAuthorization: Bearer b\r\n`), 400],
    ["two hosts [HDR-13]", chat(`${key}Host: b\r\n`), 400],
    [
      "a coding before chunked",
      `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${key}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ["an unknown provider", chat(`${key}X-Majordomo-Provider: nobody\r\n`), 400],
    ["an unknown path", chat(key, BODY, "/v2/unknown"), 404],
  ])("%s: no upstream call, no row", async (_, request, status) => {
    const before = gateway.records.length
    const answer = await exchangeRaw(request)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).not.toContain(KEY)
    expect(fakeProvider.exchanges.length).toBe(0)
    expect(gateway.records.length).toBe(before)
  })

  test("a body above the limit: 413, with a row, because the client is known", async () => {
    const answer = await exchangeRaw(chat(key, "x".repeat(1001)))
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
    expect(answer).toContain("body_too_large")
    expect(await gateway.nextRecord()).toMatchObject({ status_code: 413, provider: "openai" })
    expect(fakeProvider.exchanges.length).toBe(0)
  })

  test("a chunked body that grows above the limit: 413", async () => {
    const chunk = `200\r\n${"x".repeat(512)}\r\n`
    const answer = await exchangeRaw(
      `POST /v1/messages HTTP/1.1\r\nHost: a\r\n${key}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}${chunk}`,
    )
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
    expect(answer).toContain('"type":"error"')
    expect(await gateway.nextRecord()).toMatchObject({ status_code: 413, provider: "anthropic" })
  })

  test("a request that does not arrive completely in time: 408, with a row", async () => {
    const strict = await startPipeline({ upstream: fakeProvider.origin, settings: { readTimeoutMs: 400 } })
    const client = await connectRaw(strict.port)
    client.send(`POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n${key}Content-Length: 100\r\n\r\n{`)
    expect(await client.closed()).toMatch(/^HTTP\/1.1 408 /)
    expect(await strict.nextRecord()).toMatchObject({ status_code: 408 })
    await strict.close()
  })

  test("a client that disconnects during its upload has a row", async () => {
    const client = await connectRaw(gateway.port)
    client.send(`POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n${key}Content-Length: 100\r\n\r\n{`)
    // The gateway has received the first request when it has answered a second one.
    await fetch(`${gateway.origin}/v1/models`, { headers: { "x-majordomo-key": KEY } })
    await gateway.nextRecord()
    client.close()
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "client_left", status_code: 499 })
  })
})

describe("metadata", () => {
  test("keeps the request id of a client, whose row has an id of the gateway", async () => {
    await exchangeRaw(chat(`x-majordomo-key: ${KEY}\r\nX-Majordomo-Request-Id: client-1\r\n`))
    const { id, raw_metadata } = await gateway.nextRecord()
    expect(raw_metadata).toEqual({ "Request-Id": "client-1" })
    expect(id).not.toBe("client-1")
  })

  test("has Train-Case names, whatever case was sent, and UTF-8 text is preserved", async () => {
    const value = Buffer.from("Zoë 日本").toString("latin1")
    const client = await connectRaw(gateway.port)
    client.send(
      Buffer.from(
        chat(
          `x-majordomo-key: ${KEY}\r\nx-majordomo-user-id: u1\r\nX-MAJORDOMO-FEATURE: f\r\nX-Majordomo-Name: ${value}\r\nX-Majordomo-__proto__: p\r\nX-Majordomo-Provider-Alias: team\r\n`,
        ),
        "latin1",
      ),
    )
    await client.closed()
    const record = await gateway.nextRecord()
    expect(JSON.parse(JSON.stringify(record.raw_metadata))).toEqual(
      JSON.parse('{"User-Id":"u1","Feature":"f","Name":"Zoë 日本","__proto__":"p"}'),
    )
    expect(record.provider_api_key_alias).toBe("team")
  })
})
