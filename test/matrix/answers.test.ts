import type { Socket } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type OddUpstream, OK, startOddUpstream } from "../support/odd-upstream.ts"
import { type Pipeline, startPipeline } from "../support/pipeline.ts"
import { bodyOf, exchange, request, statusOf } from "./_raw.ts"

type Answer = string | ((socket: Socket, count: number) => void)
let answers: Answer[] = []
let upstream: OddUpstream
let gateway: Pipeline
/** The same with timeouts that a provider exceeds by its silence. */
let strict: Pipeline
beforeAll(async () => {
  upstream = await startOddUpstream((socket, _request, count) => {
    const answer = answers.shift() ?? OK
    if (typeof answer === "string") socket.write(Buffer.from(answer, "latin1"))
    else answer(socket, count)
  })
  gateway = await startPipeline({ upstream: upstream.origin })
  strict = await startPipeline({
    upstream: upstream.origin,
    settings: { firstByteTimeoutMs: 500, idleTimeoutMs: 500 },
  })
})
afterAll(async () => {
  await Promise.all([gateway.close(), strict.close()])
  await upstream.close()
})

const LENGTH_2 = "Content-Length: 2\r\n\r\n{}"
const endWith =
  (text: string): Answer =>
  (socket) =>
    void socket.end(Buffer.from(text, "latin1"))

const ask = (...given: Answer[]) => askOn(gateway, ...given)

async function askOn({ port, nextRecord }: Pipeline, ...given: Answer[]) {
  answers = given
  const text = await exchange(port, request())
  return { text, status: statusOf(text), row: await nextRecord() }
}

/** After an unusual response, the next request must get its own response. */
async function expectWell() {
  const { status, text } = await ask(`HTTP/1.1 200 OK\r\nX-Mine: yes\r\n${LENGTH_2}`)
  expect(status).toBe(200)
  expect(text).toContain("X-Mine: yes")
  expect(bodyOf(text)).toBe("{}")
}

describe("response headers that cannot be forwarded affect only their own request", () => {
  test.each([
    ["a Trailer header with a length", `HTTP/1.1 200 OK\r\nTrailer: Expires\r\n${LENGTH_2}`, 200],
    ["a Trailer that names Content-Length", `HTTP/1.1 200 OK\r\nTrailer: Content-Length\r\n${LENGTH_2}`, 200],
    [
      "trailers after chunks",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\n{}\r\n0\r\nX-T: 1\r\n\r\n",
      200,
    ],
  ])("[RSP-01] %s", async (_, answer, status) => {
    const got = await ask(answer)
    expect(got.status).toBe(status)
    expect(bodyOf(got.text)).toBe("{}")
    expect(got.text).not.toMatch(/^trailer:/im)
    await expectWell()
  })

  test.each([
    ["000", [502]],
    ["099", [502]],
    ["600", [600, 502]],
    ["888", [888, 502]],
    ["999", [999, 502]],
    ["1000", [502]],
    ["-20", [502]],
    ["2x0", [502]],
    ["", [502]],
  ])("[RSP-02] the status %j", async (code, statuses) => {
    const { status, row } = await ask(endWith(`HTTP/1.1 ${code} Odd\r\n${LENGTH_2}`))
    expect(statuses).toContain(status)
    expect(row.status_code).toBe(status)
    await expectWell()
  })

  test.each([
    ["in UTF-8", "HTTP/1.1 200 \xe6\x97\xa5\xe6\x9c\xac\r\n"],
    ["in latin1", "HTTP/1.1 200 D\xe9j\xe0\r\n"],
    ["with control characters", "HTTP/1.1 200 a\x01b\x7f\r\n"],
    ["that is empty", "HTTP/1.1 200 \r\n"],
    ["that is missing", "HTTP/1.1 200\r\n"],
  ])("[RSP-02] a reason phrase %s does not lose a billed response", async (_, line) => {
    const { status, text, row } = await ask(`${line}${LENGTH_2}`)
    expect(status).toBe(200)
    expect(bodyOf(text)).toBe("{}")
    expect(row.status_code).toBe(200)
  })

  test.each([
    ["a length and chunks", `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${LENGTH_2}`],
    ["two lengths", `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n${LENGTH_2}`],
    ["the same length twice", `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${LENGTH_2}`],
    ["a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}"],
    ["a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}"],
    ["a length with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}"],
    ["a length in hexadecimal", "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}"],
    ["a length that is too large", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}"],
  ])("[RSP-04] %s: 502, and the connection is not used again", async (_, answer) => {
    const before = upstream.accepted
    const { status, row } = await ask(answer)
    expect(status).toBe(502)
    expect(row.status_code).toBe(502)
    await expectWell()
    expect(upstream.accepted).toBeGreaterThan(before)
  })

  test.each<[string, Answer, readonly number[]]>([
    ["more than 64 KB of headers", `HTTP/1.1 200 OK\r\nX-Big: ${"a".repeat(70_000)}\r\n${LENGTH_2}`, [502]],
    ["a thousand headers", `HTTP/1.1 200 OK\r\n${"X-N: 1\r\n".repeat(1000)}${LENGTH_2}`, [200, 502]],
    ["a control character in a value", `HTTP/1.1 200 OK\r\nX-Bad: a\x01b\r\n${LENGTH_2}`, [200, 502]],
    ["a null in a value", `HTTP/1.1 200 OK\r\nX-Bad: a\0b\r\n${LENGTH_2}`, [502]],
    ["a bare CR in a value", `HTTP/1.1 200 OK\r\nX-Bad: a\rb\r\n${LENGTH_2}`, [502]],
    ["a name with a space", `HTTP/1.1 200 OK\r\nX Bad: a\r\n${LENGTH_2}`, [502]],
    ["a line without a colon", `HTTP/1.1 200 OK\r\nXBad\r\n${LENGTH_2}`, [502]],
    ["another protocol", "SSH-2.0-OpenSSH_9\r\n", [502]],
    ["HTTP/0.9", endWith("<html>"), [502]],
    ["HTTP/2.0 in the line", `HTTP/2.0 200 OK\r\n${LENGTH_2}`, [502, 200]],
    ["half of the headers", endWith("HTTP/1.1 200 OK\r\nX-Half"), [502]],
    ["nothing", endWith(""), [502]],
    ["a reset", (socket) => socket.resetAndDestroy(), [502]],
    ["silence", () => {}, [504]],
  ])("[RSP-09] %s gives a stable error code and one row", async (_, answer, statuses) => {
    const on = statuses.includes(504) ? strict : gateway
    const before = on.records.length
    const { status, text, row } = await askOn(on, answer)
    expect(statuses).toContain(status)
    expect(row.status_code).toBe(status)
    expect(on.records.length).toBe(before + 1)
    if (status >= 500) expect(JSON.parse(bodyOf(text)).error.code).toMatch(/^provider_(unreachable|timeout)$/)
    if (status >= 500) expect(text).not.toContain("127.0.0.1")
    await expectWell()
  })

  test("[RSP-08] an unexpected switch of protocols gives a 502, and the connection is closed", async () => {
    const { status } = await ask("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nwild bytes")
    expect(status).toBe(502)
    await expectWell()
  })
})

describe("a response that ends too early", () => {
  const STOPS_SENDING = "a stream that stops sending"
  const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
  test.each<[string, Answer]>([
    ["a stream without its last chunk", endWith(`${stream}b\r\ndata: {}\n\n\n\r\n`)],
    ["a stream that ends inside a chunk", endWith(`${stream}ff\r\ndata: {}\n\n`)],
    [
      "a stream that is reset",
      (socket) => socket.write(`${stream}b\r\ndata: {}\n\n\n\r\n`, () => setImmediate(() => socket.resetAndDestroy())),
    ],
    [STOPS_SENDING, (socket) => void socket.write(`${stream}b\r\ndata: {}\n\n\n\r\n`)],
    ["a stream with a broken chunk", `${stream}b\r\ndata: {}\n\n\n\r\nzz\r\n`],
  ])("[RSP-03] [SSE-05] %s: the client gets the received bytes and no clean end", async (what, answer) => {
    const { text, row } = await askOn(what === STOPS_SENDING ? strict : gateway, answer)
    expect(text).toContain("data: {}")
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/)
    expect(row).toMatchObject({ outcome: "upstream_broke", status_code: 200, streamed: true })
    expect(row.error_message).toMatch(/provider/)
    await expectWell()
  })

  test("[RSP-03] a response shorter than its length does not look complete to the client", async () => {
    const { text, row } = await ask(endWith("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"))
    expect(text === "" || !/content-length: 2\r\n/i.test(text)).toBe(true)
    expect(statusOf(text)).not.toBe(200)
    expect(row.outcome).toBe("upstream_broke")
  })
})

describe("unexpected bytes", () => {
  let poisoned: Promise<void> | undefined
  test.each<[string, Answer]>([
    [
      "after a response",
      `HTTP/1.1 200 OK\r\n${LENGTH_2}HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison`,
    ],
    [
      "on an idle connection",
      (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n${LENGTH_2}`)
        setTimeout(() => socket.write("HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison"), 20)
        // A request that is on its way meanwhile could not tell it from its own response.
        poisoned = new Promise((resolve) => socket.once("close", () => resolve()))
      },
    ],
  ])("[RSP-05] %s never become the response of the next client", async (_, answer) => {
    const { text } = await ask(answer)
    expect(text).not.toContain("oison")
    await poisoned
    const idle = upstream.open
    for (let i = 0; i < 5; i++) {
      const next = await ask(`HTTP/1.1 200 OK\r\nX-Canary: ${i}\r\n${LENGTH_2}`)
      expect(next.text).not.toContain("oison")
      expect(next.text).toContain(`X-Canary: ${i}`)
    }
    expect(upstream.open).toBeLessThanOrEqual(idle + 1)
  })

  test("[RSP-05] are detected before the next request: the connection is closed", async () => {
    answers = [
      (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n${LENGTH_2}`)
        setTimeout(() => socket.write("HTTP/1.1 200 OK\r\nX-Poison: 1\r\nContent-Length: 6\r\n\r\npoison"), 10)
        socket.once("close", closed)
      },
    ]
    let closed = () => {}
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve
    })
    await exchange(gateway.port, request())
    await gateway.nextRecord()
    await isClosed
    await expectWell()
  })

  test.each([
    ["102", "HTTP/1.1 102 Processing\r\n\r\n"],
    ["103", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"],
    ["2000 times 103", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(2000)],
  ])("[RSP-07] an informational response is skipped: %s", async (_, text) => {
    const { status, row } = await ask(`${text}HTTP/1.1 200 OK\r\n${LENGTH_2}`)
    expect(status).toBe(200)
    expect(row.status_code).toBe(200)
    await expectWell()
  })
})

describe("what passes unchanged", () => {
  test.each([
    [
      "openai 401",
      401,
      '{"error":{"message":"Incorrect API key provided: sk-proj-****abcd.","type":"invalid_request_error","code":"invalid_api_key"}}',
    ],
    [
      "openai 429",
      429,
      '{"error":{"message":"Rate limit reached for gpt-4o","type":"tokens","code":"rate_limit_exceeded"}}',
    ],
    [
      "anthropic 529",
      529,
      '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}',
    ],
    [
      "gemini 400",
      400,
      '{\n  "error": {\n    "code": 400,\n    "message": "API key not valid.",\n    "status": "INVALID_ARGUMENT"\n  }\n}\n',
    ],
    ["a 500 without JSON", 500, "upstream connect error"],
  ])("[RSP-10] a complete error response of the provider: %s", async (_, code, body) => {
    const head = `HTTP/1.1 ${code} No\r\nretry-after: 7\r\nx-ratelimit-remaining-tokens: 0\r\nrequest-id: req_1\r\nContent-Type: application/json\r\n`
    const { status, text, row } = await ask(`${head}Content-Length: ${body.length}\r\n\r\n${body}`)
    expect(status).toBe(code)
    expect(bodyOf(text)).toBe(body)
    for (const line of ["retry-after: 7", "x-ratelimit-remaining-tokens: 0", "request-id: req_1"])
      expect(text).toContain(line)
    expect(row.status_code).toBe(code)
    if (body.startsWith("{")) expect(row.error_message).toBeTruthy()
    expect(row.error_message ?? "").not.toMatch(/abcd/)
  })

  test.each([
    ["no content type", "", '{"a":1}'],
    ["an unusual content type", "Content-Type: ;;;/;charset\r\n", '{"a":1}'],
    ["a byte order mark", "Content-Type: application/json\r\n", '\xef\xbb\xbf{"a":1}'],
    ["HTML with 200", "Content-Type: text/html\r\n", "<html>"],
    ["an event stream that is JSON", "Content-Type: text/event-stream\r\n", '{"error":{"message":"x"}}'],
    ["JSON that is an event stream", "Content-Type: application/json\r\n", 'data: {"a":1}\n\n'],
    ["an empty body", "Content-Type: application/json\r\n", ""],
  ])("[RSP-12] [SSE-09] %s", async (_, head, body) => {
    const { status, text, row } = await ask(`HTTP/1.1 200 OK\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`)
    expect(status).toBe(200)
    expect(bodyOf(text)).toBe(body)
    expect(row).toMatchObject({ status_code: 200, usage_source: "none", outcome: "complete" })
  })
})

describe("a provider that cannot be reached", () => {
  test.each([
    ["refuses connections", "http://127.0.0.1:9", 502, "provider_unreachable"],
    ["has no address", "http://nowhere.invalid", 502, "provider_unreachable"],
  ])(
    "[RSP-11] because it %s: the client gets an error code and a request id without address, key or stack, and there is a row",
    async (_, origin, status, code) => {
      const lost = await startPipeline({ upstream: origin })
      const text = await exchange(
        lost.port,
        request("Authorization: Bearer sk-canary-1\r\n", { path: "/v1/chat/completions?key=canary-2" }),
      )
      const row = await lost.nextRecord()
      expect(statusOf(text)).toBe(status)
      expect(JSON.parse(bodyOf(text)).error.code).toBe(code)
      expect(text).toContain(`X-Majordomo-Request-Id: ${row.id}`)
      expect(text + JSON.stringify(row)).not.toMatch(/127\.0\.0\.1|nowhere|canary|node:|at /)
      expect(row).toMatchObject({ status_code: status, outcome: "complete" })
      expect(row.error_message).toMatch(/could not be reached/)
      await lost.close()
    },
  )
})
