import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Caller } from "../../src/core/call.ts"
import { GatewayError } from "../../src/core/errors.ts"
import { hashKey } from "../../src/core/key.ts"
import type { ProviderCredential, UnsignedRequest } from "../../src/core/provider-credential.ts"
import type { Provider } from "../../src/providers/catalog.ts"
import { bodyOf, exchange, KEY_LINE, request, statusOf } from "../matrix/_raw.ts"
import { headLines, type OddUpstream, OK, startOddUpstream } from "../support/odd-upstream.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

let upstream: OddUpstream
let gateway: Pipeline
let answer = OK
const asked: [string, Caller][] = []
const dates: (string | undefined)[] = []
const signed: (UnsignedRequest & { readonly bytes: Buffer })[] = []

const key = (secret: string): ProviderCredential => ({ id: "1", alias: "team-a", kind: "key", secret })
const held: Record<string, ProviderCredential | undefined> = {
  openai: key("sk-vault-openai"),
  anthropic: key("sk-ant-vault"),
  gemini: key("AIza-vault"),
  azure: key("azure-vault"),
  vertex: key("vertex-vault"),
  token: key("ya29.vault"),
  local: key("local-vault"),
  bedrock: key("ABSK-vault"),
  aws: { id: "2", alias: "cloud", kind: "aws", accessKeyId: "AKIDVAULT", secretAccessKey: "aws-secret-of-the-vault" },
}

beforeAll(async () => {
  upstream = await startOddUpstream((socket) => socket.write(answer))
  const at = (name: string, format: Provider["format"], baseUrl = upstream.origin) => ({ name, format, baseUrl })
  const list = [
    at("openai", "openai"),
    at("anthropic", "anthropic"),
    at("gemini", "gemini"),
    at("azure", "openai"),
    at("vertex", "gemini"),
    at("token", "gemini"),
    at("local", "openai"),
    at("keyless", "openai"),
    at("aws", "openai", `${upstream.origin}/prefix`),
    at("removed", "openai"),
    at("bedrock", "bedrock"),
    at("bedrock-us", "bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com"),
    at("azure-eu", "openai", "https://mine-eu.openai.azure.com"),
    at("vertex-us", "gemini", "https://us-east5-aiplatform.googleapis.com"),
  ]
  gateway = await startPipeline({
    upstream: upstream.origin,
    providers: Object.fromEntries(list.map((provider) => [provider.name, provider])),
    deps: {
      findCredential(provider, caller) {
        asked.push([provider, caller])
        if (provider === "removed") throw new GatewayError("provider_key_removed", "its key was removed")
        // Anthropic's is not in memory yet.
        return provider === "anthropic" ? Promise.resolve(held[provider]) : held[provider]
      },
      noteAwsDate: (date) => dates.push(date),
      async authorize(credential, unsigned) {
        const pieces = unsigned.body.pieces()
        signed.push({ ...unsigned, bytes: Buffer.isBuffer(pieces) ? pieces : Buffer.alloc(0) })
        return [...unsigned.headers, "authorization", `Signed by ${credential.alias}`]
      },
    },
  })
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

const without = (text: string) => text.replace(KEY_LINE, "")

async function send(text: string) {
  const before = upstream.requests.length
  const got = await exchange(gateway.port, text)
  const forwarded = upstream.requests.slice(before)
  const [target = "", ...lines] =
    forwarded.length === 0 ? [] : [forwarded[0]!.split(" ", 2)[1]!, ...headLines(forwarded[0]!)]
  return { status: statusOf(got), got, lines, target, sent: forwarded.join() }
}

const CHAT = "/v1/chat/completions"
const MESSAGES = "/v1/messages"
const CLAUDE_AT_VERTEX = "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5:rawPredict"
const GENERATE = "/v1beta/models/g:generateContent"
const basic = (text: string) => `Authorization: Basic ${Buffer.from(text).toString("base64")}`
const AWS4 = `Authorization: AWS4-HMAC-SHA256 Credential=${KEY}/20261128/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0a`

describe("a gateway key in the place of a provider's key is replaced by the key of the vault", () => {
  test.each([
    ["bearer", CHAT, `Authorization: Bearer ${KEY}`, "", "authorization: Bearer sk-vault-openai"],
    ["x-api-key", MESSAGES, `x-api-key: ${KEY}`, "", "x-api-key: sk-ant-vault"],
    ["bearer for Anthropic", MESSAGES, `Authorization: Bearer ${KEY}`, "", "x-api-key: sk-ant-vault"],
    ["x-goog-api-key", GENERATE, `x-goog-api-key: ${KEY}`, "", "x-goog-api-key: AIza-vault"],
    ["?key=", GENERATE, "X-A: b", `?key=${KEY}&alt=sse`, "x-goog-api-key: AIza-vault"],
    ["an encoded ?key=", GENERATE, "X-A: b", `?key=%6D${KEY.slice(1)}`, "x-goog-api-key: AIza-vault"],
    [
      "a ?key= that is encoded twice",
      GENERATE,
      `x-goog-api-key: ${KEY}`,
      `?key=${KEY.replaceAll("_", "%255F")}&alt=sse`,
      "x-goog-api-key: AIza-vault",
    ],
    ["api-key", CHAT, `api-key: ${KEY}`, "", "authorization: Bearer sk-vault-openai"],
    ["basic password", CHAT, basic(`anyone:${KEY}`), "", "authorization: Bearer sk-vault-openai"],
    ["AWS access key id", CHAT, AWS4, "", "authorization: Bearer sk-vault-openai"],
    ["an empty bearer token", CHAT, `${KEY_LINE}Authorization: Bearer `, "", "authorization: Bearer sk-vault-openai"],
    ["an empty x-api-key", MESSAGES, `${KEY_LINE}x-api-key:`, "", "x-api-key: sk-ant-vault"],
    ["an empty header of another API", CHAT, `${KEY_LINE}x-api-key:`, "", "authorization: Bearer sk-vault-openai"],
    ["an empty ?key=", GENERATE, KEY_LINE.trim(), "?key=&alt=sse", "x-goog-api-key: AIza-vault"],
    ["X-Majordomo-Key alone", CHAT, KEY_LINE.trim(), "", "authorization: Bearer sk-vault-openai"],
    [
      "X-Majordomo-Key too",
      CHAT,
      `${KEY_LINE}Authorization: Bearer ${KEY}`,
      "",
      "authorization: Bearer sk-vault-openai",
    ],
  ])("%s", async (_, path, header, query, expected) => {
    const { status, lines, target, sent } = await send(
      without(request())
        .replace("Host:", `${header}\r\nHost:`)
        .replace(CHAT, path + query),
    )
    expect(status).toBe(200)
    expect(lines.filter((line) => /auth|key/i.test(line))).toEqual([expected])
    expect(target).toBe(path + (query.includes("alt=sse") ? "?alt=sse" : ""))
    expect(sent).not.toMatch(/mdm_sk|bWRtX3Nr/)
    const { provider_api_key_hash: hash, provider_api_key_alias: alias } = await gateway.nextRecord()
    expect([hash, alias]).toEqual([hashKey(expected.replace(/^[\w-]+: (?:Bearer )?/, "")), "team-a"])
  })

  test.each([
    ["azure", "api-key: azure-vault"],
    ["token", "authorization: Bearer ya29.vault"],
    ["local", "authorization: Bearer local-vault"],
    ["vertex", "x-goog-api-key: vertex-vault", CLAUDE_AT_VERTEX],
  ])("a provider gets its key where it expects it: %s", async (provider, expected, path = CHAT) => {
    const text = request(`X-Majordomo-Provider: ${provider}\r\nAuthorization: Bearer ${KEY}\r\n`, { path })
    const { lines } = await send(text)
    expect(lines.filter((line) => /auth|key/i.test(line))).toEqual([expected])
    await gateway.nextRecord()
  })

  test("a signature of the client in the query is not sent beside it", async () => {
    const signature = "X-Amz-Algorithm=a&X%2DAmz%2DCredential=b&X-Amz-Signature=c&X-Amz-Security-Token=d"
    const { status, target } = await send(request("", { path: `/model/m/converse?${signature}&mine=kept` }))
    expect([status, target]).toEqual([200, "/model/m/converse?mine=kept"])
    await gateway.nextRecord()
  })

  test("a gateway key in the place of a name is not stored", async () => {
    await send(request(`X-Majordomo-Provider-Alias: ${KEY}\r\nAuthorization: Bearer sk-own\r\n`))
    expect((await gateway.nextRecord()).provider_api_key_alias).toBe("***")
  })

  test("the row names the credential that the provider bills: the client can name its own, and not the gateway's", async () => {
    await send(request("X-Majordomo-Provider-Alias: mine\r\n"))
    expect((await gateway.nextRecord()).provider_api_key_alias).toBe("team-a")
    await send(request("X-Majordomo-Provider-Alias: mine\r\nAuthorization: Bearer sk-own\r\n"))
    expect((await gateway.nextRecord()).provider_api_key_alias).toBe("mine")
    await send(request("X-Majordomo-Provider-Alias:\r\nAuthorization: Bearer sk-own\r\n"))
    expect((await gateway.nextRecord()).provider_api_key_alias).toBe(undefined)
  })

  test.each([
    ["bedrock-us", "/model/amazon.nova-lite-v1:0/converse"],
    ["azure-eu", "/openai/deployments/d/chat/completions"],
    ["vertex-us", "/v1/projects/p/locations/us-east5/publishers/google/models/g:generateContent"],
  ])("a second region of a cloud, %s, needs a credential like the first one", async (provider, path) => {
    const text = request(`X-Majordomo-Provider: ${provider}\r\nAuthorization: Bearer ${KEY}\r\n`, { path })
    const { status, got } = await send(text)
    expect(status).toBe(401)
    expect(bodyOf(got)).toContain(`majordomo-gateway provider-keys add ${provider}.`)
  })

  test("a provider of the settings without a key in the vault gets no credential", async () => {
    const { status, lines } = await send(request(`X-Majordomo-Provider: keyless\r\nAuthorization: Bearer ${KEY}\r\n`))
    expect([status, lines.filter((line) => /auth|key/i.test(line))]).toEqual([200, []])
    await gateway.nextRecord()
  })
})

test.each([KEY, KEY.replaceAll("_", "%5F"), KEY.replaceAll("_", "%255f")])(
  "a gateway key in the path is rejected, because providers and rows get the path as it is: %s",
  async (text) => {
    const { status, got, sent } = await send(request("", { path: `/v1/models/${text}` }))
    expect([status, sent]).toEqual([400, ""])
    expect(JSON.parse(bodyOf(got)).error.message).toMatch(/^The path contains a gateway key\. /)
  },
)

describe("the client's own credential", () => {
  test.each([
    [CHAT, "Authorization: Bearer sk-own"],
    [MESSAGES, `x-api-key: sk-own\r\nAuthorization: ${basic(`u:${KEY}`).slice(15)}`],
    [MESSAGES, `x-api-key: sk-own\r\n${AWS4}`],
    [CHAT, "X-Majordomo-Provider: local\r\nx-api-key: sk-own"],
  ])("is sent as it is, and the vault is not asked: %s %s", async (path, header) => {
    const before = asked.length
    const { status, lines, sent } = await send(request(`${header}\r\n`, { path }))
    expect(status).toBe(200)
    expect(lines.filter((line) => /auth|key/i.test(line))).toEqual([expect.stringMatching(/sk-own$/)])
    expect(sent).not.toMatch(/mdm_sk|bWRtX3Nr/)
    expect(asked.length).toBe(before)
    await gateway.nextRecord()
  })
})

test.each([
  ["azure", MESSAGES, "api-key: azure-own"],
  ["vertex", CLAUDE_AT_VERTEX, "x-goog-api-key: vertex-own"],
  ["local", CHAT, "x-api-key: local-own"],
])(
  "the client's own key of %s has its hash in the row where another API has its key: %s %s",
  async (name, path, line) => {
    await send(request(`X-Majordomo-Provider: ${name}\r\n${line}\r\n`, { path }))
    expect((await gateway.nextRecord()).provider_api_key_hash).toBe(hashKey(line.split(": ")[1]!))
  },
)

describe("without a key in the vault", () => {
  test.each([
    [CHAT, `Authorization: Bearer ${KEY}`, "openai", "Authorization: Bearer or api-key"],
    [CHAT, basic(`u:${KEY}`), "openai", "Authorization: Bearer or api-key"],
    [CHAT, AWS4, "openai", "Authorization: Bearer or api-key"],
    [GENERATE, `x-goog-api-key: ${KEY}`, "gemini", "x-goog-api-key or ?key= or Authorization: Bearer"],
  ])("the error says exactly what to do: %s %s", async (path, header, provider, places) => {
    const known = held[provider]
    held[provider] = undefined
    const { status, got, sent } = await send(without(request(`${header}\r\n`, { path })))
    held[provider] = known
    expect([status, sent]).toEqual([401, ""])
    expect(JSON.parse(bodyOf(got)).error.message).toBe(
      `The gateway key stands where the provider's credential should be, and the gateway has no key of ${provider} itself. ` +
        `To store one there, run majordomo-gateway provider-keys add ${provider}. ` +
        `Or send the provider's credential in ${places}, and the gateway key in X-Majordomo-Key; or name another provider in X-Majordomo-Provider.`,
    )
  })

  test("a key that is bound to a removed one gets that reason, and nothing is sent", async () => {
    const { status, got, sent } = await send(request("X-Majordomo-Provider: removed\r\n"))
    expect([status, sent]).toEqual([401, ""])
    expect(JSON.parse(bodyOf(got)).error).toMatchObject({
      code: "provider_key_removed",
      message: "its key was removed",
    })
  })
})

describe("a key that the provider repeats in its error is not in the row", () => {
  /** Returns the error of the row of a request that the provider rejects with a message. */
  async function readError(message: string, head = request()) {
    const body = JSON.stringify({ error: { message } })
    answer = `HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    await send(head)
    answer = OK
    return (await gateway.nextRecord()).error_message
  }

  test("a supplied one", async () => {
    expect(await readError("Wrong: sk-vault-openai")).toBe("Wrong: ***")
  })

  // The row keeps 500 characters.
  test.each([490, 495, 499])(
    "not in part either, where the message is truncated after %i characters",
    async (length) => {
      const before = `${"x ".repeat(length / 2)}`.padEnd(length, ":")
      const expected = `${before}***`.slice(0, 500)
      expect(await readError(`${before}azure-vault`, request("X-Majordomo-Provider: azure\r\n"))).toBe(expected)
      const own = request("Authorization: Bearer client-own\r\n")
      expect(await readError(`${before}client-own`, own)).toBe(expected)
    },
  )

  test("a private key as long as those of service accounts", async () => {
    const known = held["local"]
    held["local"] = key("private ".repeat(400))
    const error = await readError(
      `${"x".repeat(400)}${"private ".repeat(400)}`,
      request("X-Majordomo-Provider: local\r\n"),
    )
    held["local"] = known
    expect(error).toBe(`${"x".repeat(400)}***`)
  })
})

test("a request that must be signed is sent with the headers of the signature, whose input was complete", async () => {
  const path = `/v1/x%20y?a=1&key=${KEY}`
  const { status, lines, target } = await send(
    request(`X-Majordomo-Provider: aws\r\n${AWS4}\r\nX-Mine: kept\r\n`, { path }),
  )
  expect([status, target]).toEqual([200, "/prefix/v1/x%20y?a=1"])
  expect(lines).toContain("authorization: Signed by cloud")
  const [{ method, url, headers, body, bytes }] = signed as [(typeof signed)[0]]
  expect([method, url]).toEqual(["POST", `${upstream.origin}/prefix/v1/x%20y?a=1`])
  expect(headers).toEqual(["X-Mine", "kept"])
  expect([bytes.toString(), body.length]).toEqual(['{"model":"m","messages":[]}', 27])
  expect((await gateway.nextRecord()).provider_api_key_hash).toBe(hashKey("aws-secret-of-the-vault"))
})

test("the date of an answer in which AWS rejects a signed request is passed on, and that of no other answer", async () => {
  const rejection = "HTTP/1.1 403 Forbidden\r\nDate: Sat, 28 Nov 2026 20:10:00 GMT\r\nContent-Length: 0\r\n\r\n"
  for (const [text, name] of [
    [rejection, "aws"],
    [rejection, "local"],
    [OK, "aws"],
  ] as const) {
    answer = text
    await send(request(`X-Majordomo-Provider: ${name}\r\n`))
    await gateway.nextRecord()
  }
  answer = OK
  expect(dates).toEqual(["Sat, 28 Nov 2026 20:10:00 GMT"])
})
