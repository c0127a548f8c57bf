import { once } from "node:events"
import { connect } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type OddUpstream, startOddUpstream } from "../support/odd-upstream.ts"
import { type AttackedGateway, startAttacked } from "./_attacked.ts"
import { exchange, KEY_LINE, request, statusOf } from "./_raw.ts"

const MAX_STALL_MS = 50
/** The same as a multiple of the stall of an ordinary large answer, for a machine that is slow or busy. */
const MAX_STALL_FACTOR = 6
const MB = 1024 * 1024

let provider: OddUpstream
let gateway: AttackedGateway
/** The bytes of the provider's next answer, in pieces of 64 KiB. */
let answer: Buffer
/** The stall of ordinary answers, in ms. */
let idleMs = 0
beforeAll(async () => {
  provider = await startOddUpstream((socket) => void socket.write(answer))
  gateway = await startAttacked(provider.origin)
  // The first requests compile code, which is no attack.
  for (let i = 0; i < 300; i++) {
    answer = sse(Buffer.from('data: {"choices":[{"delta":{"content":"a"}}]}\n\n'.repeat(50)))
    await exchange(gateway.port, request("", { body: '{"model":"m","stream":true}' }))
    answer = json(Buffer.from('{"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}'))
    await exchange(gateway.port, request())
  }
  await gateway.measure()
  answer = sse(repeat(`data: {"choices":[{"delta":{"content":"${"word ".repeat(200)}"}}]}\n\n`, 6 * MB))
  for (let i = 0; i < 5; i++) await exchange(gateway.port, request("", { body: '{"model":"m","stream":true}' }))
  idleMs = (await gateway.measure()).stallMs
  console.info(`ordinary answers: stall ${idleMs.toFixed(0)} ms`)
})
afterAll(async () => {
  await gateway.stop()
  await provider.close()
})

const head = (type: string, length: string) => `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\n${length}\r\n\r\n`
const sse = (body: Buffer) => Buffer.concat([Buffer.from(head("text/event-stream", sized(body))), body])
const json = (body: Buffer) => Buffer.concat([Buffer.from(head("application/json", sized(body))), body])
const sized = (body: Buffer) => `Content-Length: ${body.length}`
const repeat = (text: string, bytes: number) => Buffer.from(text.repeat(Math.ceil(bytes / text.length)))
const inBytes = (body: string) => Buffer.from(body.replace(/[\s\S]/g, "1\r\n$&\r\n").concat("0\r\n\r\n"), "latin1")

/** Expects that an attack neither stalls the event loop nor takes much memory. */
async function expectNoStall(name: string, attack: () => Promise<unknown>): Promise<void> {
  const most = Math.max(MAX_STALL_MS, MAX_STALL_FACTOR * idleMs)
  let stallMs = Number.POSITIVE_INFINITY
  // An attack that stalls the event loop does so each time; a garbage collection of the busy machine does not.
  for (let attempt = 0; attempt < 4 && stallMs >= most; attempt++) {
    const before = await gateway.measure()
    await attack()
    const after = await gateway.measure()
    stallMs = Math.min(stallMs, after.stallMs)
    console.info(`${name}: stall ${after.stallMs.toFixed(0)} ms, ${((after.peakRss - before.rss) / MB).toFixed(0)} MB`)
    expect(after.peakRss - before.rss).toBeLessThan(64 * MB)
  }
  expect(stallMs).toBeLessThan(most)
}

test("[BND-01] a connection that pipelines 150,000 requests without a key is answered, and memory stays flat", async () => {
  const before = await gateway.measure()
  const count = 150_000
  const client = connect(gateway.port, "127.0.0.1")
  let answered = 0
  let rest = ""
  client.on("data", (bytes) => {
    const parts = (rest + bytes.toString("latin1")).split("HTTP/1.1 401")
    answered += parts.length - 1
    rest = parts.at(-1)!.slice(-20)
  })
  const text = "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000)
  for (let sent = 0; sent < count; sent += 1000) if (!client.write(text)) await once(client, "drain")
  await expect.poll(() => answered, { interval: 50 }).toBe(count)
  client.destroy()
  const after = await gateway.measure()
  console.info(`pipelined: ${((after.peakRss - before.rss) / MB).toFixed(0)} MB, stall ${after.stallMs.toFixed(0)} ms`)
  expect(after.peakRss - before.rss).toBeLessThan(100 * MB)
  expect(after.stallMs).toBeLessThan(Math.max(MAX_STALL_MS, MAX_STALL_FACTOR * idleMs))
})

describe("[BND-03] no answer stops the event loop for 50 ms, and no answer takes many times its size", () => {
  const large = 6 * MB
  test.each<[string, () => Buffer]>([
    ["6 MB of data lines in one event", () => sse(repeat("data:\n", large))],
    ["6 MB of data lines with a byte", () => sse(repeat("data:1\n", large))],
    ["6 MB of tiny events", () => sse(repeat("data:{}\n\n", large))],
    ["6 MB of tiny events with a usage", () => sse(repeat('data:{"usage":{}}\n\n', large))],
    ["6 MB of tiny events with a text", () => sse(repeat('data:{"choices":[{"delta":{"content":"a"}}]}\n\n', large))],
    ["6 MB of empty lines", () => sse(repeat("data:\n\n\n\n", large))],
    ["an event of 6 MB", () => sse(Buffer.concat([Buffer.from("data: "), repeat("[", large)]))],
    ["events of 250 KB that are nested deeply", () => sse(repeat(`data:${"[".repeat(250_000)}\n\n`, large))],
    ["events of 250 KB with a usage", () => sse(repeat(`data:{"usage":${'{"a":'.repeat(50_000)}\n\n`, large))],
    ["a document of 6 MB that is nested deeply", () => json(repeat('{"a":', large))],
    ["a document of 6 MB of usages", () => json(repeat('{"usage":', large))],
    ["a document of 200 KB that is nested deeply", () => json(repeat('{"usage":', 200_000))],
    ["a list of 6 MB", () => json(Buffer.concat([Buffer.from("["), repeat("{},", large)]))],
    ["choices of 6 MB", () => json(Buffer.concat([Buffer.from('{"choices":['), repeat("{},", large)]))],
    ["choices of 250 KB", () => json(Buffer.concat([Buffer.from('{"choices":['), repeat("{},", 250_000)]))],
    ["6 MB of documents", () => json(repeat("{}\n", large))],
    ["200 KB of members", () => json(Buffer.from(`{${members(20_000)}}`))],
    ["200 KB of members of a usage", () => json(Buffer.from(`{"usage":{${members(20_000)}}}`))],
    ["1 MB in chunks of one byte", () => chunked("application/json", `{"a":"${"b".repeat(MB)}"}`)],
    ["a stream of 1 MB in chunks of one byte", () => chunked("text/event-stream", `data:{}\n\n`.repeat(MB / 9))],
    ["an error of 1 MB in chunks of one byte", () => failed(`{"error":"${"b".repeat(MB)}"}`)],
  ])("%s", async (name, create) => {
    answer = create()
    await expectNoStall(name, () => exchange(gateway.port, request("", { body: '{"model":"m","stream":true}' })))
  })

  const members = (count: number) => Array.from({ length: count }, (_, i) => `"k${i}":${i}`).join()
  const chunked = (type: string, body: string) =>
    Buffer.concat([Buffer.from(head(type, "Transfer-Encoding: chunked")), inBytes(body)])
  const failed = (body: string) =>
    Buffer.concat([
      Buffer.from(head("application/json", "Transfer-Encoding: chunked").replace("200 OK", "400 Bad Request")),
      inBytes(body),
    ])
})

test("[BND-03] a body of 1 MB in chunks of one byte is forwarded, and takes little more than its size, however often it comes", async () => {
  answer = json(Buffer.from('{"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}'))
  const chunks = inBytes(`{"model":"m","a":"${"b".repeat(MB)}"}`).toString("latin1")
  const text = request("Transfer-Encoding: chunked\r\n", { body: "" }) + chunks
  const before = await gateway.measure()
  for (let i = 0; i < 5; i++) expect(await exchange(gateway.port, text)).toMatch(/^HTTP\/1\.1 200/)
  const after = await gateway.measure()
  console.info(
    `chunks of a byte: stall ${after.stallMs.toFixed(0)} ms, ${((after.peakRss - before.rss) / MB).toFixed(0)} MB`,
  )
  expect(after.peakRss - before.rss).toBeLessThan(64 * MB)
})

describe("[BND-08] connections that send bodies in chunks of one byte at once do not stop the event loop for 50 ms", () => {
  const chunks = inBytes(`{"model":"m","a":"${"b".repeat(128 * 1024)}"}`).toString("latin1")
  const text = request("Transfer-Encoding: chunked\r\n", { body: "" }) + chunks

  test.each([
    ["8 with a key", 8, text, 200],
    ["32 without a key", 32, text.replace(KEY_LINE, ""), 401],
  ])("%s", async (name, count, bytes, status) => {
    answer = json(Buffer.from('{"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}'))
    await expectNoStall(name, async () => {
      const answers = await Promise.all(Array.from({ length: count }, () => exchange(gateway.port, bytes)))
      for (const text of answers) expect(statusOf(text)).toBe(status)
    })
  })

  test("an ordinary request is answered before the body in chunks that came first", async () => {
    const order: string[] = []
    const costly = exchange(gateway.port, text).then(() => order.push("costly"))
    expect(statusOf(await exchange(gateway.port, request()))).toBe(200)
    order.push("ordinary")
    await costly
    expect(order).toEqual(["ordinary", "costly"])
  })
})
