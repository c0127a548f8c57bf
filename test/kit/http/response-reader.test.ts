import { describe, expect, test } from "vitest"
import type { HttpError } from "../../../src/kit/http/errors.ts"
import { ResponseReader } from "../../../src/kit/http/response-reader.ts"

interface Read {
  status: number | undefined
  statusText: string
  headers: string[]
  body: string
  /** How often the sink got bytes. */
  pieces: number
  end: "reusable" | "single" | "switched" | "open" | "cut"
  rest: string
  fault: string | undefined
}

/** Reads one response that arrives in these pieces, then the end of the connection. */
function read(pieces: readonly string[], { isForHead = false, closes = false } = {}): Read {
  const got: Read = {
    status: undefined,
    statusText: "",
    headers: [],
    body: "",
    pieces: 0,
    end: "open",
    rest: "",
    fault: undefined,
  }
  const reader = new ResponseReader({
    onHead: ({ status, statusText, headers }) => Object.assign(got, { status, statusText, headers }),
    onBody(bytes) {
      got.body += bytes.toString("latin1")
      got.pieces++
    },
    onEnd(isReusable) {
      got.end = isReusable ? "reusable" : "single"
    },
    onSwitch: ({ status }, rest) => Object.assign(got, { status, end: "switched", rest: rest.toString("latin1") }),
  })
  reader.begin(isForHead)
  try {
    for (const piece of pieces) reader.push(Buffer.from(piece, "latin1"))
    if (closes && !reader.finish()) got.end = "cut"
  } catch (error) {
    expect((error as HttpError).failure).toBe("invalid_response")
    got.fault = (error as HttpError).message
  }
  return got
}

const OK = "HTTP/1.1 200 OK\r\n"
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`

/** Name, response, and what must be read of it. */
const RESPONSES: [string, string, Partial<Read>, { isForHead?: boolean; closes?: boolean }?][] = [
  ["with a length", `${OK}Content-Length: 5\r\n\r\nhello`, { body: "hello", end: "reusable" }],
  ["without a body", `${OK}Content-Length: 0\r\n\r\n`, { body: "", end: "reusable" }],
  ["in chunks", `${CHUNKED}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`, { body: "hello world", end: "reusable" }],
  ["in chunks with extensions", `${CHUNKED}5;a="b"\r\nhello\r\n0;last\r\n\r\n`, { body: "hello", end: "reusable" }],
  [
    "in chunks with trailers",
    `${CHUNKED}A\r\n0123456789\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n`,
    { body: "0123456789", end: "reusable" },
  ],
  ["until the connection closes", `${OK}\r\nall of it`, { body: "all of it", end: "single" }, { closes: true }],
  ["to HEAD", `${OK}Content-Length: 5\r\n\r\n`, { body: "", end: "reusable" }, { isForHead: true }],
  ["to HEAD, in chunks", CHUNKED, { body: "", end: "reusable" }, { isForHead: true }],
  ["204", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", { status: 204, body: "", end: "reusable" }],
  ["304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", { status: 304, body: "", end: "reusable" }],
  ["without a phrase", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", { status: 200, statusText: "", end: "reusable" }],
  [
    "after interim ones",
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`,
    { status: 200, body: "hi", end: "reusable" },
  ],
  [
    "that closes the connection",
    `${OK}Connection: X, Close\r\nContent-Length: 2\r\n\r\nhi`,
    { body: "hi", end: "single" },
  ],
  ["of HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", { body: "hi", end: "single" }],
  [
    "of HTTP/1.0 that keeps the connection",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
    { body: "hi", end: "reusable" },
  ],
  ["followed by something", `${OK}Content-Length: 2\r\n\r\nhi${OK}`, { body: "hi", end: "single" }],
  ["in chunks, followed by something", `${CHUNKED}2\r\nhi\r\n0\r\n\r\nmore`, { body: "hi", end: "single" }],
  ["that switches protocols", "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n", { status: 101, end: "switched" }],
]

describe("a response", () => {
  test.each(RESPONSES)("%s is read", (_, text, expected, how) => {
    expect(read([text], how)).toMatchObject({ fault: undefined, ...expected })
  })

  test.each(RESPONSES)("%s is read the same when it is cut at any byte, or at all", (_, text, expected, how) => {
    // Bytes after a response can be told from it only if they arrive with it.
    const { end, ...rest } = expected
    const whole = text.endsWith("more") || text.endsWith(OK) ? rest : { end, ...rest }
    for (let at = 1; at < text.length; at++) {
      expect(read([text.slice(0, at), text.slice(at)], how), `cut at ${at}`).toMatchObject({
        fault: undefined,
        ...whole,
      })
    }
    expect(read([...text], how)).toMatchObject({ fault: undefined, ...whole })
  })

  test("keeps the order, the spelling and the bytes of its headers, without the blanks around values", () => {
    const text = `${OK}X-B:  two \t\r\nx-a: \xe9\r\nX-B: \r\nContent-Length: 0\r\n\r\n`
    expect(read([text]).headers).toEqual(["X-B", "two", "x-a", "\xe9", "X-B", "", "Content-Length", "0"])
  })

  test("in chunks that arrive together gives its data on together", () => {
    const chunks = Array.from({ length: 10 }, (_, index) => `3\r\nab${index}\r\n`).join("")
    expect(read([CHUNKED + chunks, `${chunks}0\r\n\r\n`])).toMatchObject({ pieces: 2, end: "reusable" })
  })

  test("gives on the bytes after a switch of protocols", () => {
    expect(read(["HTTP/1.1 101 Go\r\n\r\n\x81\x00"]).rest).toBe("\x81\x00")
  })
})

describe("a response that is not whole when the connection closes", () => {
  test.each([
    ["before its head", ""],
    ["in its head", "HTTP/1.1 200 OK\r\nX-A"],
    ["before its length", `${OK}Content-Length: 5\r\n\r\nhell`],
    ["in a chunk", `${CHUNKED}5\r\nhel`],
    ["after a chunk", `${CHUNKED}5\r\nhello`],
    ["before the last chunk", `${CHUNKED}5\r\nhello\r\n`],
    ["before the end of the trailers", `${CHUNKED}5\r\nhello\r\n0\r\n`],
  ])("is cut: %s", (_, text) => {
    expect(read([text], { closes: true }).end).toBe("cut")
  })
})

describe("no response", () => {
  test.each([
    ["another protocol", "SSH-2.0-OpenSSH\r\n"],
    ["another version", "HTTP/2.0 200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status below 100", "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n"],
    ["a line end without CR", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
    ["a header with a bare LF", `${OK}X-A: b\nX-C: d\r\n\r\n`],
    ["a header with a bare CR", `${OK}X-A: b\rX-C: d\r\n\r\n`],
    ["a header with NUL", `${OK}X-A: b\0\r\n\r\n`],
    ["a header without a name", `${OK}: b\r\n\r\n`],
    ["a header without a colon", `${OK}X-A\r\n\r\n`],
    ["a name with a space", `${OK}Content-Length : 2\r\n\r\nhi`],
    ["a header that is folded", `${OK}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n`],
    ["a first header that is folded", `${OK} X-A: b\r\n\r\n`],
    ["two lengths", `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi`],
    ["a list of lengths", `${OK}Content-Length: 2, 2\r\n\r\nhi`],
    ["a length with a sign", `${OK}Content-Length: +2\r\n\r\nhi`],
    ["a length and chunks", `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["another transfer coding", `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ["chunked twice", `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["a head of more than 64 KiB", `${OK}X-A: ${"a".repeat(65_536)}`],
    ["a whole head of more than 64 KiB", `${OK}X-A: ${"a".repeat(65_536)}\r\n\r\n`],
    ["a size that is no number", `${CHUNKED}five\r\nhello\r\n`],
    ["a size with a sign", `${CHUNKED}-5\r\nhello\r\n`],
    ["a size with a prefix", `${CHUNKED}0x5\r\nhello\r\n`],
    ["a size before a blank", `${CHUNKED}5 a=b\r\nhello\r\n`],
    ["a size of fourteen digits", `${CHUNKED}00000000000005\r\nhello\r\n`],
    ["a size line without CR", `${CHUNKED}5\nhello\r\n`],
    ["an extension without CR", `${CHUNKED}5;a\nhello\r\n`],
    ["an endless extension", `${CHUNKED}5;${"a".repeat(20_000)}`],
    ["a chunk that is longer than its size", `${CHUNKED}4\r\nhello\r\n`],
    ["a chunk without its line end", `${CHUNKED}5\r\nhello0\r\n\r\n`],
  ])("is accepted: %s", (_, text) => {
    expect(read([text]).fault).toMatch(/^the response has an? |^the response has no |^the response has two /)
    expect(read([...text]).fault).toMatch(/^the response has /)
  })

  test("the data before a fault is given on", () => {
    expect(read([`${CHUNKED}5\r\nhello\r\nno\r\n`])).toMatchObject({
      body: "hello",
      fault: "the response has an invalid size of a chunk",
    })
  })
})
