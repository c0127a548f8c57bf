import { request as httpRequest, type IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync } from "node:zlib"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { ProviderCredential } from "../../src/core/provider-credential.ts"
import { type OddUpstream, startOddUpstream } from "../support/odd-upstream.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const SECRET = "sk-vault+canary/0123456789=abcd"
const MASKED = "***abcd"
const TOKEN = "ya29.canary-of-the-access-token"
const SESSION = "FwoGZXIvYXdzECANARY+session/token=="

const held: Record<string, ProviderCredential> = {
  openai: { id: "1", alias: "a", kind: "key", secret: SECRET },
  short: { id: "2", alias: "b", kind: "key", secret: "ollama" },
  google: { id: "3", alias: "c", kind: "google", clientEmail: "e", privateKey: "private key", tokenUri: "u" },
  aws: {
    id: "4",
    alias: "d",
    kind: "aws",
    accessKeyId: "AKIDCANARY0000WXYZ",
    secretAccessKey: "secret-access-key-canary",
    sessionToken: SESSION,
  },
}

let upstream: OddUpstream
let gateway: Pipeline
let answer: (socket: Socket, request: string) => void = () => {}

beforeAll(async () => {
  upstream = await startOddUpstream((socket, request) => answer(socket, request))
  const names = ["openai", "short", "google", "aws"]
  gateway = await startPipeline({
    upstream: upstream.origin,
    providers: Object.fromEntries(names.map((name) => [name, { name, format: "openai", baseUrl: upstream.origin }])),
    deps: {
      findCredential: (provider) => held[provider],
      authorize: async (credential, { headers }) =>
        credential.kind === "google"
          ? [...headers, "authorization", `Bearer ${TOKEN}`]
          : [
              ...headers,
              "authorization",
              "AWS4-HMAC-SHA256 Credential=AKIDCANARY0000WXYZ",
              "x-amz-security-token",
              SESSION,
            ],
    },
  })
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

interface Answer {
  readonly status?: string
  readonly headers?: readonly string[]
  readonly body?: Buffer | string
  /** The body is sent in chunks of so many bytes; without it, with its length. */
  readonly chunkBytes?: number
}

function toBytes({ status = "401 Unauthorized", headers = [], body = "", chunkBytes }: Answer): Buffer {
  const bytes = Buffer.from(body as string, "latin1")
  const length = chunkBytes === undefined ? `Content-Length: ${bytes.length}` : "Transfer-Encoding: chunked"
  const head = `HTTP/1.1 ${status}\r\n${["Content-Type: application/json", ...headers, length].join("\r\n")}\r\n\r\n`
  if (chunkBytes === undefined) return Buffer.concat([Buffer.from(head, "latin1"), bytes])
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const piece = bytes.subarray(at, at + chunkBytes)
    chunks.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"))
  }
  return Buffer.concat([Buffer.from(head, "latin1"), ...chunks, Buffer.from("0\r\n\r\n")])
}

/** Sends one request whose answer is given, and returns what the client got, with the row. */
async function ask(given: Answer, { provider = "openai", method = "POST", headers = {}, body = '{"model":"m"}' } = {}) {
  answer = (socket) => socket.write(toBytes(given))
  const got = await new Promise<IncomingMessage>((resolve, reject) => {
    const key = { "x-majordomo-key": KEY, "x-majordomo-provider": provider }
    const options = {
      port: gateway.port,
      method,
      path: "/v1/chat/completions",
      agent: false,
      headers: { ...key, ...headers },
    }
    httpRequest({ host: "127.0.0.1", ...options }, resolve)
      .on("error", reject)
      .end(method === "POST" ? body : undefined)
  })
  const pieces: Buffer[] = []
  for await (const piece of got) pieces.push(piece as Buffer)
  const bytes = Buffer.concat(pieces)
  return { status: got.statusCode, got, bytes, text: bytes.toString("latin1"), row: await gateway.nextRecord() }
}

const ERROR = JSON.stringify({ error: { message: `Incorrect API key provided: ${SECRET}. Grüße`, type: "x" } })

describe("an error answer that repeats the key of the vault reaches the client with the end of the key alone", () => {
  test("a document, whose length is that of the new text", async () => {
    const body = Buffer.from(ERROR).toString("latin1")
    const { status, got, bytes, row } = await ask({ body })
    expect([status, bytes.toString()]).toEqual([401, ERROR.replace(SECRET, MASKED)])
    expect(got.headers["content-length"]).toBe(String(bytes.length))
    expect(row).toMatchObject({ status_code: 401, outcome: "complete" })
    expect(row.error_message).not.toContain("canary")
  })

  const CODINGS = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync }
  test.each(Object.keys(CODINGS) as (keyof typeof CODINGS)[])(
    "a document in the coding %s, as plain text",
    async (coding) => {
      const body = CODINGS[coding](Buffer.from(ERROR))
      const headers = [`Content-Encoding: ${coding}`]
      for (const chunkBytes of [undefined, 7]) {
        const { got, bytes } = await ask({ body, headers, ...(chunkBytes && { chunkBytes }) })
        expect(bytes.toString()).toBe(ERROR.replace(SECRET, MASKED))
        expect([got.headers["content-encoding"], got.headers["content-length"]]).toEqual([
          undefined,
          String(bytes.length),
        ])
      }
    },
  )

  const escaped = (text: string) => text.replace(/[+=]/g, (each) => `\\u00${each.charCodeAt(0).toString(16)}`)
  test.each([
    ["as it is", SECRET],
    ["with escaped slashes", SECRET.replace("/", "\\/")],
    ["with escaped signs", escaped(SECRET)],
    ["in a URL", encodeURIComponent(SECRET)],
  ])("in pieces that end anywhere in it, where it is %s", async (_, form) => {
    for (const chunkBytes of [1, 5, form.length - 1]) {
      const { text } = await ask({ body: `{"error":"${form}"}`, chunkBytes })
      expect(text).toBe(`{"error":"${MASKED}"}`)
    }
  })

  test("in base64", async () => {
    const { text } = await ask({ body: Buffer.from(`user:${SECRET}`).toString("base64") })
    expect(Buffer.from(text.replace(MASKED, ""), "base64").toString()).not.toContain("canary")
  })

  test("a stream of events", async () => {
    const headers = ["Content-Type: text/event-stream"]
    const { text, row } = await ask({
      status: "429 No",
      body: `data: {"error":"${SECRET}"}\n\n`,
      headers,
      chunkBytes: 9,
    })
    expect([text, row.status_code]).toEqual([`data: {"error":"${MASKED}"}\n\n`, 429])
  })

  test("an answer that is too large to be held", async () => {
    const padding = "x".repeat(3 * 1024 * 1024)
    const { bytes } = await ask({ body: `${padding}${SECRET}${padding}`, chunkBytes: 65_537 })
    expect(bytes.equals(Buffer.from(`${padding}${MASKED}${padding}`))).toBe(true)
  })

  test("headers and the reason phrase", async () => {
    const headers = [
      `X-Echo: key ${SECRET}!`,
      `Location: https://a/?key=${encodeURIComponent(SECRET)}&b=c`,
      "X-Other: kept",
    ]
    const { got } = await ask({ status: `401 Wrong ${SECRET}`, headers })
    expect([got.headers["x-echo"], got.headers.location, got.headers["x-other"], got.statusMessage]).toEqual([
      `key ${MASKED}!`,
      `https://a/?key=${MASKED}&b=c`,
      "kept",
      `Wrong ${MASKED}`,
    ])
    const { got: redirected } = await ask({ status: "302 Found", headers })
    expect(redirected.headers.location).toBe(`https://a/?key=${MASKED}&b=c`)
    const { got: fine } = await ask({ status: "200 OK", headers, body: "{}" })
    expect(fine.headers["x-echo"]).toBe(`key ${MASKED}!`)
  })

  test.each([
    ["google", TOKEN, "***"],
    ["aws", SESSION, "***WXYZ"],
  ])("the token that %s gets with the request", async (provider, token, masked) => {
    const { text, got, row } = await ask(
      { body: `{"error":{"message":"x ${token} y"}}`, headers: [`X-Echo: ${token}`] },
      { provider },
    )
    expect([text, got.headers["x-echo"]]).toEqual([`{"error":{"message":"x ${masked} y"}}`, masked])
    expect(row.error_message).toBe("x *** y")
  })

  test("an answer to a request that the gateway has changed", async () => {
    const body = '{"model":"m","stream":true,"messages":[]}'
    const { text } = await ask(
      { body: `data: {"error":"${SECRET}"}\n\n`, headers: ["Content-Type: text/event-stream"] },
      { body },
    )
    expect(text).toBe(`data: {"error":"${MASKED}"}\n\n`)
  })
})

describe("the bytes of an error answer stay as they are", () => {
  test("without the key, compressed or not", async () => {
    const body = gzipSync(Buffer.from('{"error":{"message":"no"}}'))
    const { bytes, got, row } = await ask({ body, headers: ["Content-Encoding: gzip"] })
    expect([bytes.equals(body), got.headers["content-encoding"]]).toEqual([true, "gzip"])
    expect(row.error_message).toBe("no")
    const text = '{"error":"sk-vault+canary/01 sk-vault+'
    expect((await ask({ body: text, chunkBytes: 3 })).text).toBe(text)
  })

  test("with a key of the client itself", async () => {
    const { text } = await ask(
      { body: "wrong: sk-of-the-client" },
      { headers: { authorization: "Bearer sk-of-the-client" } },
    )
    expect(text).toBe("wrong: sk-of-the-client")
  })

  test("with a secret of less than eight characters, which is an ordinary word", async () => {
    expect((await ask({ body: "ollama has no such model" }, { provider: "short" })).text).toBe(
      "ollama has no such model",
    )
  })

  test("if it is no error", async () => {
    const body = gzipSync(Buffer.from(`{"echo":"${SECRET}"}`))
    const { bytes } = await ask({ status: "200 OK", body, headers: ["Content-Encoding: gzip"] })
    expect(gunzipSync(bytes).toString()).toBe(`{"echo":"${SECRET}"}`)
  })

  test("if it has no body, although it states a length", async () => {
    answer = (socket) => socket.write("HTTP/1.1 404 No\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n")
    const { status, got } = await ask({ status: "404 No", headers: ["Content-Encoding: gzip"] }, { method: "HEAD" })
    expect([status, got.headers["content-encoding"]]).toEqual([404, "gzip"])
  })
})

describe("an error answer that cannot be searched is replaced by one of the gateway, with the status of the provider", () => {
  test.each([
    ["an unknown coding", "snappy", Buffer.from("whatever")],
    ["damaged bytes", "gzip", Buffer.from("no gzip at all")],
    ["too many bytes", "br", brotliCompressSync(Buffer.alloc(6 * 1024 * 1024))],
  ])("%s", async (_, coding, body) => {
    const { status, got, text, row } = await ask({
      status: "403 No",
      body,
      headers: [`Content-Encoding: ${coding}`],
      chunkBytes: 4096,
    })
    expect([status, row.status_code, got.headers["content-encoding"]]).toEqual([403, 403, undefined])
    expect(got.headers["content-type"]).toBe("application/json; charset=utf-8")
    expect(JSON.parse(text).error.message).toBe(
      "The provider openai answered with an error in a form that the gateway cannot search for its own key, so it is withheld.",
    )
  })
})

test("an error answer that breaks off within the key ends before it", async () => {
  answer = (socket) => {
    socket.write(
      `HTTP/1.1 401 No\r\nContent-Type: text/event-stream\r\nContent-Length: 99\r\n\r\ndata: ${SECRET.slice(0, 20)}`,
    )
    setImmediate(() => socket.destroySoon())
  }
  const got = await new Promise<string>((resolve) => {
    let text = ""
    const headers = { "x-majordomo-key": KEY, "x-majordomo-provider": "openai" }
    const options = {
      host: "127.0.0.1",
      port: gateway.port,
      method: "POST",
      path: "/v1/chat/completions",
      agent: false as const,
      headers,
    }
    httpRequest(options, (response) => {
      response.on("data", (bytes) => {
        text += bytes
      })
      response.on("error", () => {})
      response.on("close", () => resolve(text))
    })
      .on("error", () => resolve(text))
      .end('{"model":"m"}')
  })
  expect("data: ".startsWith(got)).toBe(true)
  expect((await gateway.nextRecord()).outcome).toBe("upstream_broke")
})
