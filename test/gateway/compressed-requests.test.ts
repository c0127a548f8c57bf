import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import * as zlib from "node:zlib"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const CHUNK = { model: "gpt-4o-mini-2024-07-18", choices: [{ delta: { content: "hello world" } }] }
const STREAM = `data: ${JSON.stringify(CHUNK)}\n\ndata: [DONE]\n\n`
const EMBEDDINGS = '{"object":"list","data":[],"usage":{"prompt_tokens":100,"total_tokens":100}}'

/** The bodies that the provider received. */
const received: Buffer[] = []
let upstream: Server
let gateway: Pipeline

beforeAll(async () => {
  upstream = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on("data", (piece: Buffer) => pieces.push(piece))
    request.on("end", () => {
      received.push(Buffer.concat(pieces))
      const isChat = request.url?.endsWith("/chat/completions")
      response.writeHead(200, { "content-type": isChat ? "text/event-stream" : "application/json" })
      response.end(isChat ? STREAM : EMBEDDINGS)
    })
  })
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  gateway = await startPipeline({ upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` })
})
afterAll(async () => {
  await gateway.close()
  upstream.close()
})

async function send(path: string, coding: string, body: Buffer, contentType = "application/json") {
  const response = await fetch(`${gateway.origin}${path}`, {
    method: "POST",
    headers: { "content-type": contentType, "content-encoding": coding, "x-majordomo-key": KEY },
    body,
  })
  const text = await response.text()
  return { text, row: await gateway.nextRecord(), body: received.pop()! }
}

const CHAT = Buffer.from(
  JSON.stringify({
    model: "gpt-4o-mini",
    stream: true,
    messages: [{ role: "user", content: "Say hello to the world" }],
  }),
)
const CODINGS: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
  ["gzip", zlib.gzipSync],
  ["x-gzip", zlib.gzipSync],
  ["deflate", zlib.deflateSync],
  ["deflate", zlib.deflateRawSync],
  ["br", zlib.brotliCompressSync],
  ["GZIP", zlib.gzipSync],
  // Node has zstd since 22.15.
  ...("zstdCompressSync" in zlib ? [["zstd", zlib.zstdCompressSync as (bytes: Buffer) => Buffer] as const] : []),
]

describe("a compressed request", () => {
  test.each(CODINGS)("is read, and forwarded byte for byte: %s", async (coding, compress) => {
    const bytes = compress(CHAT)
    const { text, row, body } = await send("/v1/chat/completions", coding, bytes)
    expect(body).toEqual(bytes)
    expect(text).toBe(STREAM)
    expect(row).toMatchObject({ requested_model: "gpt-4o-mini", streamed: true, usage_source: "estimated" })
    expect(row.input_tokens).toBeGreaterThan(5)
    expect(row.output_tokens).toBe(3)
  })

  test("has the model that its row needs if the answer names none", async () => {
    const body = zlib.gzipSync('{"model":"text-embedding-3-small","input":"hello"}')
    const { row } = await send("/v1/embeddings", "gzip", body)
    expect(row).toMatchObject({ model: "text-embedding-3-small", input_tokens: 100, usage_source: "reported" })
  })

  test("has the fields of its form", async () => {
    const form = `--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n`
    const type = "multipart/form-data; boundary=b"
    const { row } = await send("/v1/audio/transcriptions", "gzip", zlib.gzipSync(form), type)
    expect(row.requested_model).toBe("whisper-1")
  })

  test("that is large is read by its outline", async () => {
    const content = Array.from({ length: 300_000 }, (_, index) => index.toString(36)).join(" ")
    const large = Buffer.from(
      JSON.stringify({ messages: [{ role: "user", content }], model: "gpt-4o-mini", stream: true }),
    )
    const { row } = await send("/v1/chat/completions", "gzip", zlib.gzipSync(large, { level: 1 }))
    expect(row.requested_model).toBe("gpt-4o-mini")
    expect(row.input_tokens).toBeGreaterThan(100_000)
  })

  test.each([
    ["that expands beyond the bounds", "gzip", zlib.gzipSync(Buffer.concat([CHAT, Buffer.alloc(3_000_000, 32)]))],
    ["that is damaged", "gzip", Buffer.concat([zlib.gzipSync(CHAT).subarray(0, 40), Buffer.alloc(40, 1)])],
    ["that has an unknown coding", "lzma", CHAT],
    ["that is compressed twice", "gzip, gzip", zlib.gzipSync(zlib.gzipSync(CHAT))],
    ["that is empty", "gzip", Buffer.alloc(0)],
  ])("%s is forwarded unread", async (_, coding, bytes) => {
    const { body, row } = await send("/v1/chat/completions", coding, bytes)
    expect(body).toEqual(bytes)
    expect(row.requested_model).toBeUndefined()
  })
})
