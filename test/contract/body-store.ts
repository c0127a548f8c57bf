import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib"
import { expect, test } from "vitest"
import type { BodyColumns, BodyStore } from "../../src/bodies/index.ts"
import type { Bodies } from "../../src/bodies/read.ts"
import { answerHead, CALLER, makeCall } from "../bodies/_bodies.ts"

export interface OpenedStore {
  readonly store: BodyStore
  /** Returns what the store holds of a request, as `usage request ID --body` finds it. */
  read(id: string, columns: BodyColumns): Promise<Bodies>
}

/** Tests what every body store does. `open` returns a new one, which the caller of the contract closes. */
export function bodyStoreContract(
  open: (options?: { readonly redact?: readonly string[] }) => Promise<OpenedStore>,
): void {
  async function roundTrip(
    given: {
      readonly request?: Buffer | string
      readonly answer?: Buffer | string
      readonly type?: string
      readonly coding?: string
      readonly pieceBytes?: number
    },
    options?: { readonly redact?: readonly string[] },
  ): Promise<Bodies> {
    const { store, read } = await open(options)
    const call = makeCall({ body: Buffer.from(given.request ?? '{"model":"gpt-4o-mini"}') })
    const capture = store.open(call, CALLER)!
    const answer = Buffer.from(given.answer ?? '{"id":1}')
    const step = given.pieceBytes ?? answer.length
    for (let at = 0; at < answer.length; at += step) capture.push(answer.subarray(at, at + step))
    const coding = given.coding === undefined ? [] : ["Content-Encoding", given.coding]
    const columns = capture.finish(answerHead(given.type ?? "application/json", coding))
    return read(call.id, columns)
  }

  test("JSON is stored byte for byte, with its spaces, duplicate members and numbers too large for JavaScript", async () => {
    const request = '{ "a": 1, "a": 2,\n "big": 12345678901234567890.10, "text": "\\u00e9é\\/" }'
    const answer = '[ {"n":1e400}, "é" ]'
    const bodies = await roundTrip({ request, answer })
    expect(bodies.request).toEqual({ kind: "json", text: request, isTruncated: false })
    expect(bodies.response).toEqual({ kind: "json", text: answer, isTruncated: false })
  })

  test("a stream is stored as text, in whatever pieces it arrived", async () => {
    const answer = 'data: {"delta":"héé 🎉"}\n\n'.repeat(700)
    const { response } = await roundTrip({ answer, type: "text/event-stream", pieceBytes: 7 })
    expect(response).toEqual({ kind: "text", text: answer, isTruncated: false })
  })

  test("[DAT-04] what is not text is stored as base64", async () => {
    const answer = Buffer.from([0xff, 0xd8, 0, 1, 2, 3])
    const { response } = await roundTrip({ answer, type: "image/jpeg" })
    expect(response).toEqual({ kind: "binary", base64: answer.toString("base64"), isTruncated: false })
  })

  test("JSON that is not valid is stored as text", async () => {
    const { response } = await roundTrip({ answer: '{"a":1' })
    expect(response).toEqual({ kind: "text", text: '{"a":1', isTruncated: false })
  })

  test("an empty body is not stored", async () => {
    const { request, response } = await roundTrip({ request: "", answer: "" })
    expect([request, response]).toEqual([{ kind: "none" }, { kind: "none" }])
  })

  const json = Buffer.from(JSON.stringify({ text: "é".repeat(3000) }))
  const codings = { gzip: gzipSync, deflate: deflateSync, "raw deflate": deflateRawSync, br: brotliCompressSync }
  test.each(Object.entries(codings))("an answer in %s is stored decoded", async (name, compress) => {
    const { response } = await roundTrip({ answer: compress(json), coding: name.replace("raw ", ""), pieceBytes: 100 })
    expect(response).toEqual({ kind: "json", text: json.toString(), isTruncated: false })
  })

  test.each(Object.entries(codings))(
    "the received part of an answer in %s that broke off is stored",
    async (name, compress) => {
      const whole = compress(Buffer.from(`data: ${Array.from({ length: 4000 }, (_, i) => i * 7919).join("é")}\n\n`))
      const { response } = await roundTrip({
        answer: whole.subarray(0, whole.length >> 1),
        coding: name.replace("raw ", ""),
        type: "text/event-stream",
      })
      expect(response.kind).toBe("text")
      expect(response.kind === "text" && response.text.startsWith("data: 0é7919é")).toBe(true)
    },
  )

  test("an answer in an unknown coding is stored as it arrived", async () => {
    const { response } = await roundTrip({ answer: Buffer.from([1, 2, 0, 255]), coding: "x-new" })
    expect(response).toMatchObject({ kind: "binary", base64: "AQIA/w==" })
  })

  test("the values that rules name are redacted before anything is stored, and the rest stays as it was", async () => {
    const redact = ["$.messages[*].content", "$..api_key"]
    const bodies = await roundTrip(
      {
        request: '{ "messages": [ {"role":"user","content":{"x":["private"]}} ], "n": 1.0 }',
        answer: '{"deep":[{"api_key":"private"}]}',
      },
      { redact },
    )
    expect(bodies.request).toMatchObject({
      text: '{ "messages": [ {"role":"user","content":"[redacted]"} ], "n": 1.0 }',
    })
    expect(bodies.response).toMatchObject({ text: '{"deep":[{"api_key":"[redacted]"}]}' })
  })

  test("each line of a stream is redacted, and a line that cannot be parsed is left out", async () => {
    const answer = 'event: x\ndata: {"api_key":"private"}\n\ndata: {"api_key":"priv\n\ndata: [DONE]\n\n'
    const { response } = await roundTrip({ answer, type: "text/event-stream" }, { redact: ["$.api_key"] })
    const text = 'event: x\ndata: {"api_key":"[redacted]"}\n\ndata: [redacted]\n\ndata: [DONE]\n\n'
    expect(response).toMatchObject({ kind: "text", text })
  })

  test.each([
    ["not JSON", Buffer.from('{"api_key":"private"'), undefined],
    ["in an unknown coding", Buffer.from('{"api_key":"private"}'), "x-new"],
    ["too large to be redacted", Buffer.from(JSON.stringify({ api_key: "private".repeat(200_000) })), undefined],
  ])("with rules, a body that is %s is not stored at all", async (_what, answer, coding) => {
    const { response } = await roundTrip({ answer, ...(coding ? { coding } : {}) }, { redact: ["$.api_key"] })
    expect(JSON.stringify(response)).not.toContain("private")
    expect(response).toMatchObject({ kind: "text", text: expect.stringMatching(/^\[redacted: \d+ bytes/) })
  })

  test("with X-Majordomo-Store-Bodies: false, nothing is stored", async () => {
    const { store } = await open()
    expect(store.open(makeCall({ raw: ["X-Majordomo-Store-Bodies", "false"] }), CALLER)).toBeUndefined()
    expect(store.open(makeCall({ raw: ["X-Majordomo-Store-Bodies", "true"] }), CALLER)).toBeDefined()
  })

  test("the answer to a request that was sent again replaces the first one", async () => {
    const { store, read } = await open()
    const call = makeCall()
    const capture = store.open(call, CALLER)!
    capture.push(Buffer.from('{"error":"stream_options"}'))
    capture.restart()
    capture.push(Buffer.from('{"ok":true}'))
    const bodies = await read(call.id, capture.finish(answerHead("application/json")))
    expect(bodies.response).toMatchObject({ text: '{"ok":true}' })
    expect(store.stats().memoryBytes).toBe(0)
  })

  test("[S3F-04] an answer that decompresses to an enormous size is truncated at little cost", async () => {
    const bomb = gzipSync(Buffer.alloc(200 << 20, 32), { level: 1 })
    const startedAt = process.cpuUsage()
    const { response } = await roundTrip({ answer: bomb, coding: "gzip", type: "text/plain" })
    expect(response).toMatchObject({ kind: "text", isTruncated: true })
    const { user, system } = process.cpuUsage(startedAt)
    expect((user + system) / 1e6).toBeLessThan(5)
  })
}
