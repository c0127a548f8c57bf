import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib"
import { expect, test } from "vitest"
import type { BodyColumns, BodyStore } from "../../src/bodies/index.ts"
import type { Bodies } from "../../src/bodies/read.ts"
import { answerHead, CALLER, makeCall } from "../bodies/_bodies.ts"

export interface OpenedStore {
  readonly store: BodyStore
  /** What the store holds of a request, as `usage request ID --body` finds it. */
  read(id: string, columns: BodyColumns): Promise<Bodies>
}

/** What every body store does. `open` gives a new one, which the caller of the contract closes. */
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

  test("JSON comes back byte for byte, with its spaces, double members and numbers too large for JavaScript", async () => {
    const request = '{ "a": 1, "a": 2,\n "big": 12345678901234567890.10, "text": "\\u00e9é\\/" }'
    const answer = '[ {"n":1e400}, "é" ]'
    const bodies = await roundTrip({ request, answer })
    expect(bodies.request).toEqual({ kind: "json", text: request, isTruncated: false })
    expect(bodies.response).toEqual({ kind: "json", text: answer, isTruncated: false })
  })

  test("a stream is text, whatever pieces it came in", async () => {
    const answer = 'data: {"delta":"héé 🎉"}\n\n'.repeat(700)
    const { response } = await roundTrip({ answer, type: "text/event-stream", pieceBytes: 7 })
    expect(response).toEqual({ kind: "text", text: answer, isTruncated: false })
  })

  test("[DAT-04] what is no text is base64", async () => {
    const answer = Buffer.from([0xff, 0xd8, 0, 1, 2, 3])
    const { response } = await roundTrip({ answer, type: "image/jpeg" })
    expect(response).toEqual({ kind: "binary", base64: answer.toString("base64"), isTruncated: false })
  })

  test("JSON that is not valid is text", async () => {
    const { response } = await roundTrip({ answer: '{"a":1' })
    expect(response).toEqual({ kind: "text", text: '{"a":1', isTruncated: false })
  })

  test("a body that is empty is none", async () => {
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
    "of an answer in %s that broke off, what came is stored",
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

  test("an answer in a coding that nobody knows is kept as it came", async () => {
    const { response } = await roundTrip({ answer: Buffer.from([1, 2, 0, 255]), coding: "x-new" })
    expect(response).toMatchObject({ kind: "binary", base64: "AQIA/w==" })
  })

  test("the values that rules name are replaced before anything is stored, the rest stays as it was", async () => {
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

  test("of a stream each line is looked into, and one that cannot be read is left out", async () => {
    const answer = 'event: x\ndata: {"api_key":"private"}\n\ndata: {"api_key":"priv\n\ndata: [DONE]\n\n'
    const { response } = await roundTrip({ answer, type: "text/event-stream" }, { redact: ["$.api_key"] })
    const text = 'event: x\ndata: {"api_key":"[redacted]"}\n\ndata: [redacted]\n\ndata: [DONE]\n\n'
    expect(response).toMatchObject({ kind: "text", text })
  })

  test.each([
    ["not JSON", Buffer.from('{"api_key":"private"'), undefined],
    ["in an unknown coding", Buffer.from('{"api_key":"private"}'), "x-new"],
    ["larger than can be looked into", Buffer.from(JSON.stringify({ api_key: "private".repeat(200_000) })), undefined],
  ])("with rules, a body that is %s is not stored at all", async (_what, answer, coding) => {
    const { response } = await roundTrip({ answer, ...(coding ? { coding } : {}) }, { redact: ["$.api_key"] })
    expect(JSON.stringify(response)).not.toContain("private")
    expect(response).toMatchObject({ kind: "text", text: expect.stringMatching(/^\[redacted: \d+ bytes/) })
  })

  test("X-Majordomo-Store-Bodies: false keeps them out", async () => {
    const { store } = await open()
    expect(store.open(makeCall({ raw: ["X-Majordomo-Store-Bodies", "false"] }), CALLER)).toBeUndefined()
    expect(store.open(makeCall({ raw: ["X-Majordomo-Store-Bodies", "true"] }), CALLER)).toBeDefined()
  })

  test("an answer that is asked for again replaces the first one", async () => {
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

  test("[S3F-04] a compressed answer that would grow without end costs little and is cut", async () => {
    const bomb = gzipSync(Buffer.alloc(200 << 20, 32), { level: 1 })
    const startedAt = performance.now()
    const { response } = await roundTrip({ answer: bomb, coding: "gzip", type: "text/plain" })
    expect(response).toMatchObject({ kind: "text", isTruncated: true })
    expect(performance.now() - startedAt).toBeLessThan(5000)
  })
}
