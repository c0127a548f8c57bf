import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { bodyOf, exchange, request, statusOf } from "../matrix/_raw.ts"
import { type OddUpstream, OK, startOddUpstream } from "../support/odd-upstream.ts"
import { type Pipeline, startPipeline } from "../support/pipeline.ts"

let answer = OK
let upstream: OddUpstream
let gateway: Pipeline
beforeAll(async () => {
  upstream = await startOddUpstream((socket) => void socket.write(Buffer.from(answer, "latin1")))
  gateway = await startPipeline({
    upstream: upstream.origin,
    settings: { firstByteTimeoutMs: 5_000, idleTimeoutMs: 5_000 },
  })
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

async function ask(given: string) {
  answer = given
  const text = await exchange(gateway.port, request())
  return { text, status: statusOf(text), body: bodyOf(text), row: await gateway.nextRecord() }
}

async function expectWell() {
  expect(await ask(OK)).toMatchObject({ status: 200, body: "{}", row: { status_code: 200, outcome: "complete" } })
}

describe("an answer without a body is whole with its head", () => {
  test.each([
    [
      "304 with the length of the body that it does not have",
      "HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 5\r\n\r\n",
      304,
    ],
    [
      "304 with a length above what is collected",
      "HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 5000000\r\n\r\n",
      304,
    ],
    ["204 with a length", "HTTP/1.1 204 No Content\r\nETag: x\r\nContent-Length: 5\r\n\r\n", 204],
    [
      "204 with a body, which has no place in HTTP",
      "HTTP/1.1 204 No Content\r\nETag: x\r\nContent-Length: 5\r\n\r\nhello",
      204,
    ],
    [
      "204 with chunks",
      "HTTP/1.1 204 No Content\r\nETag: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
      204,
    ],
  ])("%s", async (_, given, status) => {
    const got = await ask(given)
    expect(got).toMatchObject({ status, body: "", row: { status_code: status, outcome: "complete" } })
    expect(got.text).toMatch(/^etag: x\r$/im)
    if (status === 204) expect(got.text).not.toMatch(/^content-length/im)
    await expectWell()
  })
})

describe("[RSP-07] a 100 that nobody asked for is left out", () => {
  const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
  test.each([
    ["before the answer", CONTINUE + OK],
    ["twice", CONTINUE + CONTINUE + OK],
    ["2000 times", CONTINUE.repeat(2000) + OK],
    ["with headers and without a phrase", `HTTP/1.1 100\r\nX-A: 1\r\n\r\n${OK}`],
    ["after early hints", `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${OK}`],
  ])("%s", async (_, given) => {
    expect(await ask(given)).toMatchObject({ status: 200, body: "{}", row: { status_code: 200 } })
    await expectWell()
  })

  test("a body that looks like one is not changed", async () => {
    const body = `${CONTINUE}${OK}`
    const given = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`
    expect((await ask(given + body)).body).toBe(body)
  })
})
