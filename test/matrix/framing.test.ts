import { createHash } from "node:crypto"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"
import { BODY, exchange, KEY_LINE, nextRecords, request, statusOf } from "./_raw.ts"

let fakeProvider: FakeProvider
let gateway: Pipeline
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  gateway = await startPipeline({ upstream: fakeProvider.origin, settings: { maxBodyBytes: 32 * 1024 * 1024 } })
})
afterEach(() => {
  fakeProvider.reset()
})
afterAll(async () => {
  await gateway.close()
  await fakeProvider.close()
})

const HEAD = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n${KEY_LINE}`
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`

describe("a body with an ambiguous length", () => {
  test.each([
    ["xchunked", "Transfer-Encoding: xchunked\r\n"],
    ["chunkedx", "Transfer-Encoding: chunkedx\r\n"],
    ["chunked twice in one line", "Transfer-Encoding: chunked, chunked\r\n"],
    ["chunked before gzip", "Transfer-Encoding: chunked, gzip\r\n"],
    ["two lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"],
    ["two lines, one foreign", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"],
    ["identity", "Transfer-Encoding: identity\r\n"],
    ["a space before the colon", "Transfer-Encoding : chunked\r\n"],
    ["a vertical tab before the value", "Transfer-Encoding: \vchunked\r\n"],
    ["a null before the value", "Transfer-Encoding: \0chunked\r\n"],
    ["quotes", 'Transfer-Encoding: "chunked"\r\n'],
    ["a parameter", "Transfer-Encoding: chunked;q=1\r\n"],
    ["a folded line", "Transfer-Encoding:\r\n chunked\r\n"],
    ["an empty value", "Transfer-Encoding:\r\n"],
    ["both lengths", `Transfer-Encoding: chunked\r\nContent-Length: ${CHUNKED.length}\r\n`],
    ["a length with a sign", "Content-Length: +27\r\n"],
    ["a length in hexadecimal", "Content-Length: 0x1b\r\n"],
    ["two lengths", "Content-Length: 27\r\nContent-Length: 28\r\n"],
    ["a list of lengths", "Content-Length: 27, 27\r\n"],
    ["a bare CR after a header", "X-A: b\rTransfer-Encoding: chunked\r\n"],
    ["a line without a colon", "Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n"],
  ])("[FRM-03] is rejected and never forwarded: %s", async (_, header) => {
    const answer = await exchange(gateway.port, `${HEAD}${header}Connection: close\r\n\r\n${CHUNKED}`)
    expect([400, 501]).toContain(statusOf(answer))
    expect(fakeProvider.exchanges.length).toBe(0)
  })

  test("[FRM-04] a transfer coding that the gateway cannot decode is rejected, not dropped", async () => {
    const answer = await exchange(gateway.port, `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n${CHUNKED}`)
    expect(statusOf(answer)).toBe(400)
    expect(fakeProvider.exchanges.length).toBe(0)
  })

  test("[FRM-05] HTTP/1.0 requests have no chunks", async () => {
    const text = `${HEAD.replace("HTTP/1.1", "HTTP/1.0")}Transfer-Encoding: chunked\r\n\r\n${CHUNKED}`
    expect(statusOf(await exchange(gateway.port, text))).toBe(400)
    expect(fakeProvider.exchanges.length).toBe(0)
  })
})

describe("chunks", () => {
  const chunked = (chunks: string) => `${HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunks}`
  test.each([
    ["a bare LF after the size", `5\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n`],
    ["a bare LF inside an extension", `7;a\nb\r\n{"a":1}\r\n0\r\n\r\n`],
    ["a negative size", `-7\r\n{"a":1}\r\n0\r\n\r\n`],
    ["seventeen digits", `1000000000000007f\r\n{"a":1}\r\n0\r\n\r\n`],
    ["a size that is too large", `ffffffffffffffffff\r\n{"a":1}\r\n0\r\n\r\n`],
    ["a size in words", `seven\r\n{"a":1}\r\n0\r\n\r\n`],
    ["0x before the size", `0x7\r\n{"a":1}\r\n0\r\n\r\n`],
    ["no line end after the data", `7\r\n{"a":1}0\r\n\r\n`],
    ["too much data", `5\r\n{"a":1}\r\n0\r\n\r\n`],
    ["64 KB of extensions", `7;${"a".repeat(65_536)}\r\n{"a":1}\r\n0\r\n\r\n`],
  ])("[FRM-06] %s is rejected and not forwarded", async (_, chunks) => {
    expect([400, 413]).toContain(statusOf(await exchange(gateway.port, chunked(chunks))))
    expect(fakeProvider.exchanges.length).toBe(0)
    // The caller was already known when the body turned out to be malformed, so the request has its row.
    await gateway.nextRecord()
  })

  test("[FRM-06] a hundred thousand chunks of one byte form one body", async () => {
    const json = JSON.stringify({ model: "m", messages: [], pad: "x".repeat(100_000) })
    const chunks = [...json].map((letter) => `1\r\n${letter}\r\n`).join("")
    expect(statusOf(await exchange(gateway.port, chunked(`${chunks}0\r\n\r\n`)))).toBe(200)
    expect((await fakeProvider.nextRequest()).body.toString()).toBe(json)
    await gateway.nextRecord()
  })
})

describe("pipelined requests", () => {
  test.each([
    ["that the parser rejects", "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n", 400],
    ["that the gateway rejects", `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n${CHUNKED}`, 400],
    ["with an unknown key and a body", request("").replace(KEY, "mdm_sk_unknown_unknown_unknown"), 401],
  ])("[FRM-07] are answered in order up to the one %s, and none after it is forwarded", async (_, bad, status) => {
    const good = (index: number) => request(`X-Count: ${index}\r\n`, { close: false })
    const all = [
      ...Array.from({ length: 25 }, (_, index) => good(index)),
      bad,
      ...Array.from({ length: 24 }, () => good(99)),
    ]
    const answer = await exchange(gateway.port, all.join(""))
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]))
    expect(statuses).toEqual([...Array.from({ length: 25 }, () => 200), status])
    expect(fakeProvider.exchanges.map(({ headers }) => headers["x-count"])).toEqual(
      Array.from({ length: 25 }, (_, i) => String(i)),
    )
    expect(await nextRecords(gateway, 25)).toHaveLength(25)
    await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
  })

  test("[FRM-07] are all dropped when the client disconnects: none stays open, and none is forwarded later", async () => {
    fakeProvider.always({ hangAfterPieces: 1, pieces: 3 })
    const stream = request("", { close: false, body: '{"model":"m","stream":true,"messages":[]}' })
    const client = await connectRaw(gateway.port)
    client.send(stream + stream + stream)
    await client.until(/data: /)
    client.close()
    expect(await gateway.nextRecord()).toMatchObject({ outcome: "client_left" })
    await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
    expect(fakeProvider.exchanges.length).toBe(1)
  })
})

describe("a large body with an invalid key", () => {
  const announced = 100 * 1024 * 1024
  const bad = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Majordomo-Key: nobody\r\nContent-Length: ${announced}\r\n`

  test("[FRM-09] is not requested: the gateway sends 401 without 100 Continue and closes the connection", async () => {
    const answer = await exchange(gateway.port, `${bad}Expect: 100-continue\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 401 /)
    expect(answer).toMatch(/^connection: close/im)
  })

  test("[FRM-11] is not read: the error comes immediately, and only the kernel's buffers took bytes", async () => {
    const client = await connectRaw(gateway.port)
    client.send(`${bad}\r\n`)
    const piece = Buffer.alloc(64 * 1024, "a")
    for (let sent = 0; sent < announced; sent += piece.length) client.send(piece)
    expect(await client.until(/invalid_gateway_key/)).toMatch(/^HTTP\/1.1 401 /)
    await client.closed()
    expect(client.socket.bytesWritten - client.socket.writableLength).toBeLessThan(announced / 4)
    expect(gateway.gateway.openRequests()).toBe(0)
  })
})

test("[FRM-10] [LIM-02] an upload that is too large is rejected immediately with its reason, and its connection ends", async () => {
  const client = await connectRaw(gateway.port)
  client.send(`${HEAD}Content-Length: ${100 * 1024 * 1024}\r\n\r\n${"a".repeat(1024 * 1024)}`)
  const answer = await client.closed()
  expect(answer).toMatch(/^HTTP\/1.1 413 /)
  expect(answer).toMatch(/^connection: close/im)
  expect(await gateway.nextRecord()).toMatchObject({ status_code: 413 })
  expect(fakeProvider.exchanges.length).toBe(0)
})

test.each([
  ["padded JSON", Buffer.from(`  {"model" : "m" ,\n\t"messages":[ ] }  \n`)],
  ["a byte order mark", Buffer.from('\ufeff{"model":"m"}')],
  ["bytes that are not UTF-8", Buffer.from([0x7b, 0xff, 0xfe, 0xc0, 0x80, 0x7d])],
  ["null bytes", Buffer.from('{"model":"m\0"}\0\0')],
  ["a JSON with the same member twice", Buffer.from('{"model":"a","model":"b","n":1.0e2}')],
  ["an upload of 20 MB", Buffer.alloc(20 * 1024 * 1024, "multipart ")],
])("[FRM-14] a body is forwarded byte for byte: %s", async (_, body) => {
  const head = `POST /v1/files HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${KEY_LINE}Content-Length: ${body.length}\r\n\r\n`
  const client = await connectRaw(gateway.port)
  client.send(head)
  client.send(body)
  const { body: arrived } = await fakeProvider.nextRequest()
  const sha = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex")
  expect(sha(arrived)).toBe(sha(body))
  await client.closed()
  await gateway.nextRecord()
})

describe("other protocols", () => {
  test.each([
    ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["HTTP/0.9", "GET /v1/models\r\n\r\n", 400],
    ["HTTP/2.0 in the line", "GET /v1/models HTTP/2.0\r\nHost: a\r\n\r\n", 400],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
    ["no protocol at all", "hello\r\n\r\n", 400],
  ])("[FRM-15] %s is rejected and the connection is closed", async (_, text, status) => {
    expect(statusOf(await exchange(gateway.port, text))).toBe(status)
  })

  test.each([
    ["CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400],
    ["CONNECT with a key", request("", { method: "CONNECT", path: "evil.example:443", body: "" }), 400],
    ["TRACE", request("", { method: "TRACE", body: "" }), 400],
    ["OPTIONS *", request("", { method: "OPTIONS", path: "*", body: "" }), 400],
    ["GET *", request("", { method: "GET", path: "*", body: "" }), 400],
    ["an unknown method", request("", { method: "GOPHER", body: "" }), 400],
  ])("[FRM-16] %s is rejected and reaches no provider", async (_, text, status) => {
    expect(statusOf(await exchange(gateway.port, text))).toBe(status)
    expect(fakeProvider.exchanges.length).toBe(0)
  })

  test("[FRM-16] [S8] a CONNECT that is pipelined behind a request is answered after it, and takes nothing of its answer", async () => {
    const connect = "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    const answer = await exchange(gateway.port, request("", { close: false }) + connect)
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 400"])
    await gateway.nextRecord()
  })

  test("[FRM-16] a CONNECT whose client resets the connection immediately affects no other request", async () => {
    for (let i = 0; i < 50; i++) {
      const client = await connectRaw(gateway.port)
      client.send("CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n")
      client.socket.resetAndDestroy()
    }
    expect(statusOf(await exchange(gateway.port, request()))).toBe(200)
    await gateway.nextRecord()
  })
})
