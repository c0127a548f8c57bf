import { generateKeyPairSync, verify } from "node:crypto"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { ProviderCredential } from "../../src/core/provider-credential.ts"
import { createAuthorizer } from "../../src/vault/authorize.ts"
import { createAwsClock } from "../../src/vault/aws-clock.ts"
import { signatureAtAws } from "../support/aws-signature.ts"
import { startConnectProxy } from "../support/connect-proxy.ts"

const NOW = Date.parse("2026-11-28T20:00:00Z")
const BODY = Buffer.from('{"messages":[{"role":"user","content":[{"text":"Grüß dich"}]}]}')
const AWS = {
  id: "1",
  alias: "default",
  kind: "aws",
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
} as const

const whole = (bytes: Buffer) => ({ length: bytes.length, pieces: () => bytes })
async function* split(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7)
}

function toMap(raw: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>()
  for (let i = 0; i < raw.length; i += 2) {
    expect(map.has(raw[i]!.toLowerCase())).toBe(false)
    map.set(raw[i]!.toLowerCase(), raw[i + 1]!)
  }
  return map
}

describe("an access key of AWS signs the request", () => {
  const HOST = "bedrock-runtime.eu-central-1.amazonaws.com"
  const authorize = createAuthorizer({ now: () => NOW })
  const sent = [
    "Content-Type",
    "application/json",
    "Accept",
    "*/*",
    "User-Agent",
    "boto3",
    "X-Amz-Bedrock-Trace",
    "ENABLED",
  ]

  test.each([
    ["/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/converse", whole(BODY)],
    [
      "/model/anthropic.claude-haiku-4-5-20251001-v1:0/converse-stream",
      { length: BODY.length, pieces: () => split(BODY) },
    ],
    ["/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fx/invoke", whole(BODY)],
    ["/guardrails?b=2&a=1&a=%20x%2F&flag=", whole(Buffer.alloc(0))],
  ])("so that AWS computes the same signature: %s", async (target, body) => {
    const headers = toMap(
      await authorize(AWS, { method: "POST", url: `https://${HOST}${target}`, headers: sent, body }),
    )
    const bytes = body.length === 0 ? Buffer.alloc(0) : BODY
    const received = { method: "POST", target, headers: new Map([...headers, ["host", HOST]]), body: bytes }
    const authorization = headers.get("authorization")!
    expect(authorization).toContain("AKIDEXAMPLE/20261128/eu-central-1/bedrock/aws4_request")
    expect(authorization).toContain(`Signature=${signatureAtAws(received, AWS.secretAccessKey)}`)
    expect(headers.get("x-amz-date")).toBe("20261128T200000Z")
  })

  test("proxies may change what is not signed: the signature covers the host, the type and the headers of AWS", async () => {
    const url = `https://${HOST}/model/m/converse`
    const headers = toMap(await authorize(AWS, { method: "POST", url, headers: sent, body: whole(BODY) }))
    expect(/SignedHeaders=([^,]+)/.exec(headers.get("authorization")!)?.[1]).toBe(
      "content-type;host;x-amz-bedrock-trace;x-amz-content-sha256;x-amz-date",
    )
    expect(headers.get("accept")).toBe("*/*")
    expect(headers.get("user-agent")).toBe("boto3")
    expect(headers.has("host")).toBe(false)
  })

  test("the client's own signature is replaced, and a session token is signed", async () => {
    const stale = [
      "Authorization",
      "AWS4-HMAC-SHA256 x",
      "X-Amz-Date",
      "20200101T000000Z",
      "X-Amz-Security-Token",
      "old",
    ]
    const request = { method: "POST", url: `https://${HOST}/model/m/invoke`, headers: stale, body: whole(BODY) }
    const headers = toMap(await authorize({ ...AWS, sessionToken: "session" }, request))
    expect(headers.get("x-amz-security-token")).toBe("session")
    expect(headers.get("authorization")).toMatch(/SignedHeaders=[^,]*x-amz-security-token/)
    const received = {
      method: "POST",
      target: "/model/m/invoke",
      headers: new Map([...headers, ["host", HOST]]),
      body: BODY,
    }
    expect(headers.get("authorization")).toContain(signatureAtAws(received, AWS.secretAccessKey))
  })

  test.each([
    ["https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1/bedrock/"],
    ["https://vpce-0a1b-c2d3.bedrock-runtime.us-east-1.vpce.amazonaws.com", "us-east-1/bedrock/"],
    ["https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1/bedrock/"],
    ["https://bedrock-mantle.us-east-1.api.aws", "us-east-1/bedrock-mantle/"],
    ["http://127.0.0.1:9/aws", "eu-west-3/bedrock/"],
  ])("region and service follow from the address, else from the settings: %s", async (origin, scope) => {
    const headers = await authorize(AWS, {
      region: "eu-west-3",
      method: "GET",
      url: `${origin}/x`,
      headers: [],
      body: whole(Buffer.alloc(0)),
    })
    expect(toMap(headers).get("authorization")).toContain(scope)
  })

  test("after a rejection with a far time, the next signatures have the time of AWS, until the clock is right again", async () => {
    let now = NOW
    const warnings: string[] = []
    const clock = createAwsClock({ now: () => now, warn: (line) => warnings.push(line) })
    const signer = createAuthorizer({ now: () => now, awsNow: clock.now })
    const request = { method: "POST", url: `https://${HOST}/model/m/converse`, headers: sent, body: whole(BODY) }
    const dateOf = async () => toMap(await signer(AWS, request)).get("x-amz-date")
    clock.correct(undefined)
    clock.correct("yesterday")
    clock.correct("Sat, 28 Nov 2026 20:03:00 GMT") // AWS takes it, so that it rejected the request for another reason
    expect([await dateOf(), warnings]).toEqual(["20261128T200000Z", []])
    clock.correct("Sat, 28 Nov 2026 20:10:00 GMT")
    expect([await dateOf(), warnings]).toEqual(["20261128T201000Z", [expect.stringContaining("10 min behind")]])
    clock.correct("Sat, 28 Nov 2026 20:10:02 GMT") // of a request that was signed before
    now += 600_000
    clock.correct("Sat, 28 Nov 2026 20:10:01 GMT")
    expect([await dateOf(), warnings.length]).toEqual(["20261128T201001Z", 1])
    clock.correct("Sat, 28 Nov 2026 19:10:01 GMT")
    expect([await dateOf(), warnings[1]]).toEqual(["20261128T191001Z", expect.stringContaining("60 min ahead of")])
  })

  test("without a region the error says what to set", async () => {
    const request = { method: "GET", url: "https://proxy.example/x", headers: [], body: whole(BODY) }
    await expect(authorize(AWS, request)).rejects.toThrow(/names no region. Set the `region` of this provider/)
  })
})

describe("a service account of Google Cloud gets an access token", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const asked: URLSearchParams[] = []
  let answer = { status: 200, body: "" }
  let server: Server
  let tokenUri: string
  let now = NOW
  beforeAll(async () => {
    server = createServer((request, response) => {
      const pieces: Buffer[] = []
      request.on("data", (piece: Buffer) => pieces.push(piece))
      request.on("end", () => {
        asked.push(new URLSearchParams(Buffer.concat(pieces).toString()))
        response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    tokenUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  })
  afterAll(() => void server.close())
  beforeEach(() => {
    asked.length = 0
    now = NOW
    give("ya29.first")
  })

  const give = (token: string, lifetime = 3600) => {
    answer = { status: 200, body: JSON.stringify({ access_token: token, expires_in: lifetime, token_type: "Bearer" }) }
  }
  const credential = (): ProviderCredential => ({
    id: "2",
    alias: "default",
    kind: "google",
    clientEmail: "gateway@example-project.iam.gserviceaccount.com",
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    privateKeyId: "key-1",
    tokenUri,
  })
  const request = {
    method: "POST",
    url: "https://aiplatform.googleapis.com/v1/x",
    headers: ["Content-Type", "application/json", "authorization", "Bearer old"],
    body: whole(BODY),
  }
  const open = () => createAuthorizer({ now: () => now })

  test("for a statement that its key has signed", async () => {
    const headers = toMap(await open()(credential(), request))
    expect(headers.get("authorization")).toBe("Bearer ya29.first")
    expect(headers.get("content-type")).toBe("application/json")
    expect(asked[0]!.get("grant_type")).toBe("urn:ietf:params:oauth:grant-type:jwt-bearer")
    const [head, claims, signature] = asked[0]!.get("assertion")!.split(".")
    const decode = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString())
    expect(decode(head!)).toEqual({ alg: "RS256", typ: "JWT", kid: "key-1" })
    expect(decode(claims!)).toEqual({
      scope: "https://www.googleapis.com/auth/cloud-platform",
      iss: "gateway@example-project.iam.gserviceaccount.com",
      aud: tokenUri,
      iat: NOW / 1000,
      exp: NOW / 1000 + 3600,
    })
    expect(
      verify("RSA-SHA256", Buffer.from(`${head}.${claims}`), publicKey, Buffer.from(signature!, "base64url")),
    ).toBe(true)
  })

  test("which is asked for once by all requests together, and again five minutes before it expires", async () => {
    const authorize = open()
    await Promise.all([authorize(credential(), request), authorize(credential(), request)])
    now = NOW + 54 * 60_000
    await authorize(credential(), request)
    expect(asked).toHaveLength(1)
    give("ya29.second")
    now = NOW + 56 * 60_000
    expect(toMap(await authorize(credential(), request)).get("authorization")).toBe("Bearer ya29.second")
    expect(asked).toHaveLength(2)
  })

  test("which is used until it expires if it cannot be renewed", async () => {
    const authorize = open()
    await authorize(credential(), request)
    answer = { status: 503, body: "" }
    now = NOW + 58 * 60_000
    expect(toMap(await authorize(credential(), request)).get("authorization")).toBe("Bearer ya29.first")
    now = NOW + 61 * 60_000
    await expect(authorize(credential(), request)).rejects.toMatchObject({ code: "provider_unreachable" })
  })

  test("through the proxy of the environment, if there is one", async () => {
    const proxy = await startConnectProxy()
    const proxies = { http: `http://127.0.0.1:${proxy.port}`, https: undefined, except: [] }
    const host = `tokens.example:${new URL(tokenUri).port}`
    const account = { ...credential(), tokenUri: `http://${host}/token` } as ProviderCredential
    const headers = await createAuthorizer({ proxies, now: () => now })(account, request)
    expect(toMap(headers).get("authorization")).toBe("Bearer ya29.first")
    expect(proxy.targets).toEqual([host])
    await proxy.close()
  })

  test("or an error with Google's reason and without a secret", async () => {
    answer = { status: 400, body: '{"error":"invalid_grant","error_description":"Invalid JWT Signature."}' }
    await expect(open()(credential(), request)).rejects.toMatchObject({
      code: "no_provider_credential",
      message: expect.stringMatching(/status 400, invalid_grant: Invalid JWT Signature\.\)\.$/),
    })
    const assertion = `${Buffer.from('{"alg":"RS256"}').toString("base64url")}.${"c".repeat(300)}.${"s".repeat(342)}`
    answer = { status: 400, body: JSON.stringify({ error: "invalid_grant", error_description: `Bad ${assertion}` }) }
    await expect(open()(credential(), request)).rejects.toThrow(/invalid_grant: Bad \*\*\*\)\.$/)
    const broken = {
      ...credential(),
      privateKey: "-----BEGIN PRIVATE KEY-----\nMIIsecret\n-----END PRIVATE KEY-----\n",
    }
    const failure = await open()(broken as ProviderCredential, request).catch((error: Error) => error)
    expect(failure).toMatchObject({ code: "no_provider_credential" })
    expect(String(failure)).not.toContain("MIIsecret")
    const nowhere = { ...credential(), tokenUri: "http://127.0.0.1:9/token" } as ProviderCredential
    await expect(open()(nowhere, request)).rejects.toThrow(/127\.0\.0\.1:9 did not answer/)
  })
})
