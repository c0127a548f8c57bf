import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as zlib from "node:zlib"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Cost } from "../../src/core/cost.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"

const USAGE = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 }
const STREAM = `data: {"model":"m","choices":[],"usage":${JSON.stringify(USAGE)}}\n\ndata: [DONE]\n\n`
const COMMENT = ': majordomo-cost {"cost":"0.0003","status":"exact"}\n\n'
const EXACT: Cost = {
  status: "exact",
  inputCost: "0.0001",
  outputCost: "0.0002",
  totalCost: "0.0003",
  price: undefined,
}
const UNPRICED: Cost = {
  ...EXACT,
  status: "unpriced",
  inputCost: undefined,
  outputCost: undefined,
  totalCost: undefined,
}
const BODY = '{"model":"m","stream":true,"stream_options":{"include_usage":true}}'

let answer: (response: ServerResponse) => void
let cost: Cost
let forwarded: string
let upstream: Server
let gateway: Pipeline

beforeAll(async () => {
  upstream = createServer((request, response) => {
    forwarded = request.rawHeaders.join("\n").toLowerCase()
    request.resume().on("end", () => answer(response))
  })
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  gateway = await startPipeline({
    upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    price: () => cost,
  })
})
afterAll(async () => {
  await gateway.close()
  upstream.close()
})

function sendEvents(text = STREAM, headers: Record<string, string> = {}) {
  return (response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream", ...headers })
    response.end(text)
  }
}

/** Returns what the client receives: the head, and all that follows it, as it stands on the wire. */
async function ask(header: string, options: { readonly version?: string; readonly fail?: boolean } = {}) {
  const client = await connectRaw(gateway.port)
  client.send(
    `POST /v1/chat/completions HTTP/${options.version ?? "1.1"}\r\nHost: a\r\nConnection: close\r\n` +
      `Accept-Encoding: gzip\r\nX-Majordomo-Key: ${KEY}\r\nX-Majordomo-Feature: chat\r\n${header}` +
      `Content-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  )
  const all = await client.closed()
  const end = all.indexOf("\r\n\r\n")
  return { head: all.slice(0, end), body: all.slice(end + 4) }
}

/** Returns the content of chunks. */
function unchunked(body: string): string {
  return [...body.matchAll(/([0-9a-f]+)\r\n([\s\S]*?)\r\n(?=[0-9a-f]+\r\n)/g)].map(([, , data]) => data).join("")
}

describe("the cost of a streamed answer", () => {
  test("is not sent unless the client asks for it, and the bytes are unchanged", async () => {
    cost = EXACT
    answer = sendEvents()
    const { head, body } = await ask("")
    expect(head).not.toMatch(/trailer|majordomo-cost/i)
    expect(unchunked(body)).toBe(STREAM)
    expect(body.endsWith("0\r\n\r\n")).toBe(true)
    await gateway.nextRecord()
  })

  test("with X-Majordomo-Cost: trailer, is in announced trailers behind the unchanged bytes", async () => {
    cost = EXACT
    answer = sendEvents()
    const { head, body } = await ask("X-Majordomo-Cost: trailer\r\n")
    expect(head).toMatch(/^Trailer: X-Majordomo-Cost, X-Majordomo-Cost-Status$/m)
    expect(head).toMatch(/^Transfer-Encoding: chunked$/im)
    expect(unchunked(body)).toBe(STREAM)
    expect(body).toMatch(/0\r\nX-Majordomo-Cost-Status: exact\r\nX-Majordomo-Cost: 0.0003\r\n\r\n$/)
    const row = await gateway.nextRecord()
    expect(row.raw_metadata).toEqual({ Feature: "chat" })
    expect(forwarded).not.toContain("majordomo")
  })

  test("is in trailers too where the provider announced the length of its stream", async () => {
    answer = sendEvents(STREAM, { "content-length": String(STREAM.length) })
    const { head, body } = await ask("X-Majordomo-Cost: trailer\r\n")
    expect(head).not.toMatch(/content-length/i)
    expect(body).toContain("X-Majordomo-Cost: 0.0003\r\n")
    await gateway.nextRecord()
  })

  test("is not sent over HTTP/1.0, which has no trailers", async () => {
    answer = sendEvents()
    const { head, body } = await ask("X-Majordomo-Cost: trailer\r\n", { version: "1.0" })
    expect(head).not.toMatch(/trailer/i)
    expect(body).toBe(STREAM)
    await gateway.nextRecord()
  })

  test("with X-Majordomo-Cost: event, is a comment after the last event", async () => {
    answer = sendEvents()
    const { head, body } = await ask("X-Majordomo-Cost: event\r\n")
    expect(head).not.toMatch(/trailer/i)
    expect(unchunked(body)).toBe(STREAM + COMMENT)
    expect(forwarded).toContain("accept-encoding\nidentity")
    await gateway.nextRecord()
  })

  test("is a comment of its own where the last event has no blank line", async () => {
    answer = sendEvents("data: [DONE]")
    const { body } = await ask("X-Majordomo-Cost: event\r\n")
    expect(unchunked(body)).toBe(`data: [DONE]\n\n${COMMENT}`)
    await gateway.nextRecord()
  })

  test("that is not known is null, and its status says so", async () => {
    cost = UNPRICED
    answer = sendEvents()
    const event = await ask("X-Majordomo-Cost: event\r\n")
    expect(event.body).toContain(': majordomo-cost {"cost":null,"status":"unpriced"}\n\n')
    const trailer = await ask("X-Majordomo-Cost: trailer\r\n")
    expect(trailer.body).toMatch(/0\r\nX-Majordomo-Cost-Status: unpriced\r\n\r\n$/)
    cost = EXACT
    await gateway.nextRecord()
    await gateway.nextRecord()
  })

  test("is never put among compressed bytes, nor among anything but events", async () => {
    const bytes = zlib.gzipSync(STREAM)
    answer = (response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" })
      response.end(bytes)
    }
    const compressed = await ask("X-Majordomo-Cost: event\r\n")
    expect(compressed.body).toContain(bytes.toString("latin1"))
    expect(compressed.body).not.toContain("majordomo-cost")
    answer = (response) => {
      response.writeHead(200, { "content-type": "application/x-ndjson" })
      response.end("{}\n")
    }
    expect(unchunked((await ask("X-Majordomo-Cost: event\r\n")).body)).toBe("{}\n")
    await gateway.nextRecord()
    await gateway.nextRecord()
  })

  test("is not sent after an answer that broke off", async () => {
    answer = (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write("data: {}\n\n", () => response.socket?.destroySoon())
    }
    for (const how of ["trailer", "event"]) {
      const { body } = await ask(`X-Majordomo-Cost: ${how}\r\n`)
      expect(body).not.toMatch(/majordomo-cost/i)
      expect((await gateway.nextRecord()).outcome).toBe("upstream_broke")
    }
  })

  test("an unknown way of sending it is rejected before the provider is asked", async () => {
    forwarded = ""
    for (const value of ["yes", "", "trailer, event"]) {
      const { head, body } = await ask(`X-Majordomo-Cost: ${value}\r\n`)
      expect(head).toMatch(/^HTTP\/1.1 400 /)
      expect(body).toContain("X-Majordomo-Cost must be trailer or event")
    }
    expect(forwarded).toBe("")
  })
})

describe("an answer that is no stream", () => {
  test("has its cost in the head, whatever the client asks for", async () => {
    answer = (response) => {
      response.writeHead(200, { "content-type": "application/json" })
      response.end("{}")
    }
    const { head, body } = await ask("X-Majordomo-Cost: trailer\r\n")
    expect(head).toMatch(/^X-Majordomo-Cost: 0.0003$/m)
    expect(head).not.toMatch(/^Trailer/m)
    expect(body).toBe("{}")
    await gateway.nextRecord()
  })
})
