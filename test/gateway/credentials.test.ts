import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { hashKey } from "../../src/core/key.ts"
import type { Provider } from "../../src/providers/catalog.ts"
import { bodyOf, exchange, KEY_LINE, request, statusOf } from "../matrix/_raw.ts"
import { headLines, type OddUpstream, OK, startOddUpstream } from "../support/odd-upstream.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"

let upstream: OddUpstream
let gateway: Pipeline
/** Hashes of the keys that are revoked. */
const revoked = new Set<string>()

beforeAll(async () => {
  upstream = await startOddUpstream((socket) => socket.write(OK))
  const at = (name: string, format: Provider["format"], baseUrl = upstream.origin): Provider => ({
    name,
    format,
    baseUrl,
  })
  const list = [
    at("openai", "openai"),
    at("anthropic", "anthropic"),
    at("gemini", "gemini"),
    at("local", "openai"),
    at("groq", "openai", `${upstream.origin}/openai/v1`),
    at("prefixed", "openai", `${upstream.origin}/openai`),
    at("public-openai", "openai", "https://api.openai.com"),
    at("public-anthropic", "anthropic", "https://api.anthropic.com"),
    at("claude-on-vertex", "anthropic", "https://us-central1-aiplatform.googleapis.com"),
  ]
  gateway = await startPipeline({
    upstream: upstream.origin,
    providers: Object.fromEntries(list.map((provider) => [provider.name, provider])),
    findCaller: (hash) => (hash === hashKey(KEY) && !revoked.has(hash) ? { keyId: KEY_ID } : undefined),
  })
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

const KEY_ID = "00000000-0000-7000-8000-000000000001"
const without = (text: string) => text.replace(KEY_LINE, "")

/** Sends a request and returns the answer and the head that the provider got. */
async function send(text: string) {
  const before = upstream.requests.length
  const answer = await exchange(gateway.port, text)
  const forwarded = upstream.requests.slice(before)
  const lines = forwarded.length === 0 ? [] : headLines(forwarded[0]!)
  return { status: statusOf(answer), answer, lines, target: forwarded[0]?.split(" ", 2)[1], sent: forwarded.length }
}
const errorOf = (answer: string) => JSON.parse(bodyOf(answer)).error as { code?: string; message: string }

describe("a path decides before a header", () => {
  test.each([
    [
      "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-6:streamRawPredict",
      "Authorization: Bearer ya29.x",
    ],
    ["/model/us.anthropic.claude-sonnet-4-6/invoke", "Authorization: AWS4-HMAC-SHA256 Credential=x"],
    ["/openai/deployments/mine/chat/completions", "api-key: 0123456789abcdef"],
    ["/v1/unknown", "x-api-key: sk-ant-x"],
    ["/v1/unknown", "x-goog-api-key: AIza"],
  ])("[S2] %s gives 404 and reaches no provider, whatever headers it has: %s", async (path, header) => {
    const { status, answer, sent } = await send(request(`${header}\r\nanthropic-version: 2023-06-01\r\n`, { path }))
    expect(status).toBe(404)
    expect(sent).toBe(0)
    expect(answer).toMatch(/x-should-retry: false/i)
  })

  test.each([
    ["/v1/models", "x-api-key: sk-ant-x", "anthropic"],
    ["/v1/files", "anthropic-version: 2023-06-01\r\nauthorization: Bearer oauth", "anthropic"],
    ["/v1/models", "x-goog-api-key: AIza", "gemini"],
    ["/v1/models", "authorization: Bearer sk-x", "openai"],
    ["/v1/chat/completions", "anthropic-version: 2023-06-01\r\nauthorization: Bearer sk-x", "openai"],
    ["/v1/messages", "x-goog-api-key: AIza\r\nx-api-key: sk-ant-x", "anthropic"],
  ])("on %s, %s means %s", async (path, header, provider) => {
    const { status } = await send(request(`${header}\r\n`, { path, method: "GET", body: "" }))
    expect(status).toBe(200)
    expect((await gateway.nextRecord()).provider).toBe(provider)
  })
})

describe("a path with more than one meaning", () => {
  test.each([
    "/v1/../admin",
    "/v1/./models",
    "/v1/models/..",
    "/v1/models/.",
    "/v1/%2e%2e/admin",
    "/v1/%2E./admin",
    "/v1/.%2e/admin",
    "/v1/%252e%252e/admin",
    "/v1/chat/completions/..%2f..%2ffiles",
    "/v1/chat/completions/..%5c..%5cfiles",
    "/v1/chat%2f..%2fadmin",
    "/v1/chat/completions/..;/admin",
    "/v1//chat/completions",
    "/v1/chat/completions//",
  ])("[S10] %s is rejected with 400, also for a named provider", async (path) => {
    for (const header of ["", "X-Majordomo-Provider: groq\r\n"]) {
      const { status, sent, answer } = await send(request(header, { path }))
      expect([status, sent]).toEqual([400, 0])
      expect(errorOf(answer).message).toMatch(/dot segment|two slashes/)
    }
  })

  test.each([
    "/v1/models/meta-llama%2FLlama-3",
    "/v1/models/gpt-4.1",
    "/v1/models/..x",
    "/v1/models/a..b",
    "/v1/models/...",
    "/v1/files/.env",
  ])("%s has one meaning", async (path) => {
    const { status, target } = await send(request("", { path, method: "GET", body: "" }))
    expect([status, target]).toEqual([200, path])
    await gateway.nextRecord()
  })
})

describe("[U12] a base URL that ends with the API's version", () => {
  test.each([
    ["groq", "/v1/chat/completions", "/openai/v1/chat/completions"],
    ["groq", "/chat/completions", "/openai/v1/chat/completions"],
    ["groq", "/v1beta/x", "/openai/v1/v1beta/x"],
    ["prefixed", "/v1/chat/completions", "/openai/v1/chat/completions"],
  ])("of %s: %s goes to %s", async (name, path, target) => {
    const got = await send(request(`X-Majordomo-Provider: ${name}\r\n`, { path }))
    expect([got.status, got.target]).toEqual([200, target])
    await gateway.nextRecord()
  })
})

describe("[S10] what a provider does not get", () => {
  test("the credentials of other providers, cookies, what proxies wrote about the client, and gateway keys", async () => {
    const { status, lines, target } = await send(
      request(
        "Authorization: Bearer sk-own\r\nx-api-key: sk-ant-other\r\nX-Goog-Api-Key: AIza-other\r\nX-Amz-Security-Token: aws-other\r\n" +
          "Cookie: session=1\r\nForwarded: for=10.0.0.1\r\nX-Forwarded-For: 10.0.0.1\r\nX-FORWARDED-anything: 1\r\nX-Real-IP: 10.0.0.1\r\n" +
          `CF-Connecting-IP: 10.0.0.1\r\nX-Mine: kept\r\nX-Note: about ${KEY}\r\n`,
        { path: `/v1/chat/completions?a=1&key=AIza-other&b=%20&k=${KEY}` },
      ),
    )
    await gateway.nextRecord()
    expect(status).toBe(200)
    const names = lines.map((line) => line.split(":")[0]!.toLowerCase()).sort()
    expect(names).toEqual(["authorization", "connection", "content-length", "host", "x-mine"])
    expect(target).toBe("/v1/chat/completions?a=1&b=%20")
  })

  test("a query without credentials keeps its bytes, and Gemini keeps its own key", async () => {
    const { target } = await send(request("", { path: "/v1beta/models/g:generateContent?alt=sse&&key=AIza&x=%C3%A9" }))
    expect(target).toBe("/v1beta/models/g:generateContent?alt=sse&&key=AIza&x=%C3%A9")
    await gateway.nextRecord()
  })

  test.each([
    ["openai", "/v1/chat/completions", "x-api-key: sk-ant-secret"],
    ["openai", "/v1/chat/completions", "x-goog-api-key: AIza-secret"],
    ["anthropic", "/v1/messages", "api-key: azure-secret"],
    ["anthropic", "/v1/messages", "x-goog-api-key: AIza-secret"],
    ["gemini", "/v1beta/models/g:generateContent", "x-api-key: sk-ant-secret"],
    ["openai", "/v1/chat/completions", "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=y"],
    ["local", "/v1/chat/completions", "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=y"],
    ["public-openai", "/v1/chat/completions", "api-key: azure-secret"],
    ["public-openai", "/v1/chat/completions?api-key=azure-secret", "X-A: b"],
    ["public-openai", "/v1/chat/completions", "Authorization: Bearer ya29.secret"],
    ["public-openai", "/v1/chat/completions", "Authorization: Bearer sk-ant-api03-secret"],
    ["public-anthropic", "/v1/messages", "Authorization: Bearer ya29.secret"],
    ["public-anthropic", "/v1/messages", "x-api-key: sk-proj-secret"],
    ["claude-on-vertex", "/v1/x:rawPredict", "x-api-key: sk-ant-secret"],
  ])("%s %s with %s is rejected with a reason, and nothing is sent", async (name, path, header) => {
    const { status, answer, sent } = await send(request(`X-Majordomo-Provider: ${name}\r\n${header}\r\n`, { path }))
    expect([status, sent]).toEqual([400, 0])
    expect(errorOf(answer).message).toMatch(new RegExp(`does not belong to ${name}, the provider of this request`))
    expect(answer).not.toMatch(/secret|AKIA/)
    expect(answer).toMatch(/x-should-retry: false/i)
  })

  test("a provider of the settings may have its one credential in the place of another API", async () => {
    const { lines } = await send(request("X-Majordomo-Provider: local\r\nx-api-key: its-own\r\n"))
    expect(lines).toContain("x-api-key: its-own")
    await gateway.nextRecord()
  })
})

describe("[U6] a gateway key in the place of a provider's credential", () => {
  test.each([
    ["Authorization", "/v1/chat/completions", `Authorization: Bearer ${KEY}`, ""],
    ["x-api-key", "/v1/messages", `x-api-key: ${KEY}`, ""],
    ["x-goog-api-key", "/v1beta/models/g:generateContent", `x-goog-api-key: ${KEY}`, ""],
    ["?key=", "/v1beta/models/g:generateContent", "X-A: b", `?key=${KEY}`],
    ["an encoded ?key=", "/v1beta/models/g:generateContent", "X-A: b", `?key=%6D${KEY.slice(1)}`],
    ["api-key", "/v1/chat/completions", `api-key: ${KEY}`, ""],
  ])(
    "%s says who the client is; without a provider's credential the request fails with that reason",
    async (_, path, header, query) => {
      const { status, answer, sent } = await send(without(request(`${header}\r\n`, { path: path + query })))
      expect([status, sent]).toEqual([401, 0])
      expect(errorOf(answer).message).toMatch(/^The gateway key stands where the provider's credential should be/)
      expect(answer).not.toContain(KEY)
      expect(answer).toMatch(/x-should-retry: false/i)
    },
  )

  test("it is enough together with a provider's credential in another place, and is not forwarded", async () => {
    const text = request(`Authorization: Bearer ${KEY}\r\nx-api-key: sk-ant-own\r\n`, { path: "/v1/messages" })
    const { status, lines } = await send(without(text))
    expect(status).toBe(200)
    expect(lines.join()).not.toContain("mdm_sk_")
    expect((await gateway.nextRecord()).provider_api_key_hash).toBe(hashKey("sk-ant-own"))
  })

  test.each([
    ["a parameter", `?key=${KEY}&alt=sse`],
    ["an encoded parameter", `?key=mdm%5fsk%5F${KEY.slice("mdm_sk_".length)}&alt=sse`],
    ["a parameter with another name", `?other=%6ddm_sk_${KEY.slice("mdm_sk_".length)}&alt=sse`],
  ])("%s with it is not forwarded", async (_, query) => {
    const { status, target } = await send(
      request("x-goog-api-key: AIza\r\n", { path: `/v1beta/models/g:generateContent${query}` }),
    )
    expect([status, target]).toEqual([200, "/v1beta/models/g:generateContent?alt=sse"])
    await gateway.nextRecord()
  })

  test("it is enough for a provider of the settings, which may need no credential", async () => {
    const { status, lines } = await send(
      without(request(`X-Majordomo-Provider: local\r\nAuthorization: Bearer ${KEY}\r\n`)),
    )
    expect(status).toBe(200)
    expect(lines.join()).not.toContain("mdm_sk_")
    expect((await gateway.nextRecord()).provider_api_key_hash).toBeUndefined()
  })

  test("an unknown one is rejected as such", async () => {
    const { status, answer } = await send(
      without(request("Authorization: Bearer mdm_sk_unknown_0123456789abcdefgh\r\n")),
    )
    expect(status).toBe(401)
    expect(errorOf(answer).message).toMatch(/^The gateway key is unknown or revoked/)
    expect(answer).toMatch(/x-should-retry: false/i)
  })
})

test("[S8] a body that is complete only after its key was revoked is not forwarded", async () => {
  const before = upstream.requests.length
  const client = await connectRaw(gateway.port)
  const text = request("Expect: 100-continue\r\n")
  const bodyAt = text.indexOf("\r\n\r\n") + 4
  client.send(Buffer.from(text.slice(0, bodyAt + 5)))
  await client.until(/100 Continue/)
  // The gateway takes a body for late after a millisecond.
  for (const start = performance.now(); performance.now() - start < 2; ) await new Promise(setImmediate)
  revoked.add(hashKey(KEY))
  client.send(Buffer.from(text.slice(bodyAt + 5)))
  const answer = await client.closed()
  revoked.clear()
  expect(answer).toMatch(/HTTP\/1\.1 401/)
  expect(upstream.requests.length).toBe(before)
  expect(await gateway.nextRecord()).toMatchObject({ status_code: 401, majordomo_api_key_id: KEY_ID })
})
