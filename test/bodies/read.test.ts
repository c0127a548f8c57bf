import { describe, expect, test } from "vitest"
import { toDocument } from "../../src/bodies/document.ts"
import { exportBodies } from "../../src/bodies/export.ts"
import { openBodyStore } from "../../src/bodies/index.ts"
import { createBodyReader, fromDocument } from "../../src/bodies/read.ts"
import { answerHead, CALLER, makeCall, makeOptions, RECEIVED_AT } from "./_bodies.ts"

function body(text: string | Buffer, more: { readonly isTruncated?: boolean; readonly totalBytes?: number } = {}) {
  const bytes = Buffer.from(text)
  return { bytes, totalBytes: bytes.length, isTruncated: false, coding: undefined, ...more }
}

const EXCHANGE = {
  id: "id",
  receivedAt: RECEIVED_AT,
  method: "POST",
  path: "/v1/x",
  requestHeaders: { "content-type": "application/json" },
  statusCode: 200,
  responseHeaders: { "content-type": "text/event-stream" },
}

describe("a document", () => {
  test("returns its bodies, JSON byte for byte", () => {
    const json = '{"body":"not this","n":12345678901234567890}'
    const document = toDocument({ ...EXCHANGE, request: body(json), response: body("data: [1]\n\n") })
    expect(fromDocument(document)).toEqual({
      source: "s3",
      request: { kind: "json", text: json, isTruncated: false },
      response: { kind: "text", text: "data: [1]\n\n", isTruncated: false },
    })
  })

  test("of a body that was truncated within a character is valid and states the length of the whole body", () => {
    const bytes = Buffer.from("héllo").subarray(0, 2)
    const document = toDocument({
      ...EXCHANGE,
      request: undefined,
      response: body(bytes, { isTruncated: true, totalBytes: 6 }),
    })
    expect(JSON.parse(document.toString()).response).toMatchObject({ body: "h", body_truncated: true, body_bytes: 6 })
    expect(fromDocument(document)).toMatchObject({
      request: { kind: "none" },
      response: { text: "h", isTruncated: true },
    })
  })

  test("of truncated invalid UTF-8 is marked as base64", () => {
    const document = toDocument({
      ...EXCHANGE,
      request: undefined,
      response: body(Buffer.from([0xff, 0x41]), { isTruncated: true, totalBytes: 9 }),
    })
    expect(JSON.parse(document.toString()).response).toMatchObject({
      body: "/0E=",
      body_encoding: "base64",
      body_truncated: true,
    })
  })

  test.each(["[]", "{}", "null", '{"request":1}', "not JSON"])("%s is not a document", (text) => {
    expect(() => fromDocument(Buffer.from(text))).toThrow()
  })
})

describe("what is stored", () => {
  test.each([
    [{ storeRequestBody: false }, [undefined, '{"ok":1}']],
    [{ storeResponseBody: false }, ["ask", undefined]],
  ])("follows the settings: %j", async (given, expected) => {
    const store = await openBodyStore(makeOptions({ storage: "postgres", ...given }).options)
    const capture = store.open(makeCall({ body: Buffer.from("ask") }), CALLER)!
    capture.push(Buffer.from('{"ok":1}'))
    const { request_body, response_body } = capture.finish(answerHead("application/json"))
    expect([request_body, response_body]).toEqual(expected)
  })

  test("[S11] with clientOptOut off, a client cannot leave the policy of the operator", async () => {
    const call = makeCall({ raw: ["X-Majordomo-Store-Bodies", "false"] })
    const binding = await openBodyStore(makeOptions({ storage: "postgres", clientOptOut: false }).options)
    expect(binding.open(call, CALLER)).toBeDefined()
    const free = await openBodyStore(makeOptions({ storage: "postgres" }).options)
    expect(free.open(call, CALLER)).toBeUndefined()
  })

  test("is nothing when both sides are off, or the storage is none", async () => {
    const off = makeOptions({ storage: "postgres", storeRequestBody: false, storeResponseBody: false })
    const none = makeOptions({ storage: "none" })
    for (const { options } of [off, none]) {
      expect((await openBodyStore(options)).open(makeCall(), CALLER)).toBeUndefined()
    }
  })
})

test("an export has one JSON line per request with bodies, and reports those that cannot be read", async () => {
  const row = {
    requested_at: new Date(RECEIVED_AT),
    provider: "openai",
    model: "m",
    request_path: "/v1/x",
    status_code: 200,
    s3_key: undefined,
  }
  const rows = [
    { ...row, id: "1", request_body: '{\n  "n": 12345678901234567890\n}', response_body: "data: x\n\n" },
    { ...row, id: "2", request_body: null, response_body: null },
    { ...row, id: "3", request_body: "data:audio/mpeg;base64,AQI=", response_body: '{"a\n[cut: 3 of 9 bytes]' },
    { ...row, id: "4", request_body: null, response_body: null, s3_key: "k" },
  ]
  const reader = createBodyReader({ ...makeOptions().options.s3, bucket: undefined })
  const missing: string[] = []
  const lines: string[] = []
  for await (const line of exportBodies(rows, reader, (id, reason) => missing.push(`${id}: ${reason}`)))
    lines.push(line)
  const head =
    '"requested_at":"2026-11-21T15:30:00.000Z","provider":"openai","model":"m","request_path":"/v1/x","status_code":200'
  expect(lines).toEqual([
    `{"id":"1",${head},"request":{   "n": 12345678901234567890 },"response":"data: x\\n\\n"}\n`,
    `{"id":"3",${head},"request":{"base64":"AQI="},"response":"{\\"a\\n[cut: 3 of 9 bytes]","truncated":["response"]}\n`,
  ])
  expect(missing).toEqual([expect.stringContaining("4: s3.bucket")])
})
