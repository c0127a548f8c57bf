import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import { type AddressInfo, createServer as createTcpServer } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { UNANSWERED } from "../../src/core/cost.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const provider = createServer()
let book: PriceBook
let gateway: Pipeline
/** The same with a timeout that a silent provider exceeds. */
let strict: Pipeline
let answer: (response: ServerResponse) => void = () => {}

beforeAll(async () => {
  provider.on("request", (request, response) => {
    request.resume()
    answer(response)
  })
  await once(provider.listen(0, "127.0.0.1"), "listening")
  book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
  const upstream = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`
  gateway = await startPipeline({ upstream, price: book.price })
  strict = await startPipeline({ upstream, settings: { firstByteTimeoutMs: 100 }, price: book.price })
})
afterAll(async () => {
  provider.closeAllConnections()
  await Promise.all([gateway.close(), strict.close()])
  book.close()
  await new Promise((resolve) => provider.close(resolve))
})

function post(pipeline: Pipeline, path: string, signal?: AbortSignal) {
  return fetch(pipeline.origin + path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-majordomo-key": KEY },
    body: JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "hello there" }] }),
    ...(signal && { signal }),
  })
}

const UNMETERED = {
  cost_status: "unpriced",
  total_cost: undefined,
  usage_source: "none",
  price: { reason: UNANSWERED },
}

describe("a request that was sent and has no answer has no cost, and none of 0", () => {
  test("if the client disconnects before the head", async () => {
    const abort = new AbortController()
    answer = () => abort.abort()
    await expect(post(gateway, "/v1/chat/completions", abort.signal)).rejects.toThrow()
    expect(await gateway.nextRecord()).toMatchObject({ ...UNMETERED, outcome: "client_left", status_code: 499 })
  })

  test("if the provider does not answer in time", async () => {
    answer = () => {}
    expect((await post(strict, "/v1/chat/completions")).status).toBe(504)
    expect(await strict.nextRecord()).toMatchObject({ ...UNMETERED, status_code: 504 })
  })

  test("if the provider disconnects before the head", async () => {
    answer = (response) => response.socket?.destroy()
    expect((await post(gateway, "/v1/chat/completions")).status).toBe(502)
    expect(await gateway.nextRecord()).toMatchObject({ ...UNMETERED, status_code: 502 })
  })

  test("if the head of the answer is not valid HTTP", async () => {
    answer = (response) => response.socket?.end("HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n")
    expect((await post(gateway, "/v1/chat/completions")).status).toBe(502)
    expect(await gateway.nextRecord()).toMatchObject({ cost_status: "unpriced", total_cost: undefined })
  })
})

describe("free is still", () => {
  test("an operation that costs nothing, answered or not", async () => {
    answer = (response) => response.socket?.destroy()
    expect((await post(gateway, "/v1/responses/input_tokens")).status).toBe(502)
    expect(await gateway.nextRecord()).toMatchObject({ cost_status: "free", total_cost: "0" })
  })

  test("an error answer of the provider without usage", async () => {
    answer = (response) => response.writeHead(429, { "content-type": "application/json" }).end('{"error":{}}')
    expect((await post(gateway, "/v1/chat/completions")).status).toBe(429)
    expect(await gateway.nextRecord()).toMatchObject({ cost_status: "free", total_cost: "0" })
  })

  test("a request whose provider could not be connected to, because nothing was sent", async () => {
    const closed = createTcpServer()
    await once(closed.listen(0, "127.0.0.1"), "listening")
    const upstream = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`
    await new Promise((resolve) => closed.close(resolve))
    const pipeline = await startPipeline({ upstream, price: book.price })
    expect((await post(pipeline, "/v1/chat/completions")).status).toBe(502)
    expect(await pipeline.nextRecord()).toMatchObject({ cost_status: "free", total_cost: "0", status_code: 502 })
    await pipeline.close()
  })
})
