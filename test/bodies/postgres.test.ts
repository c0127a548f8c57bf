import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib"
import { describe, expect, test } from "vitest"
import { openBodyStore } from "../../src/bodies/index.ts"
import { toText } from "../../src/bodies/postgres.ts"
import { createBodyReader } from "../../src/bodies/read.ts"
import { bodyStoreContract } from "../contract/body-store.ts"
import { answerHead, CALLER, makeCall, makeOptions } from "./_bodies.ts"

describe("bodies in the database", () => {
  bodyStoreContract(async (given) => {
    const { options } = makeOptions({ storage: "postgres", ...given })
    const reader = createBodyReader(options.s3)
    return {
      store: await openBodyStore(options),
      read: (id, { request_body, response_body, s3_key }) => reader.read({ id, request_body, response_body, s3_key }),
    }
  })

  const body = (text: string | Buffer) => {
    const bytes = Buffer.from(text)
    return { bytes, totalBytes: bytes.length, isTruncated: false, coding: undefined }
  }

  test.each(Array.from({ length: 12 }, (_, i) => 60 + i))(
    "a body is truncated to %i bytes after a whole character, and marked",
    (max) => {
      const text = "aé€🎉".repeat(100)
      const column = toText(body(text), "text/plain", max)!
      expect(Buffer.byteLength(column)).toBeLessThanOrEqual(max)
      const [kept, mark] = column.split("\n") as [string, string]
      expect(text.startsWith(kept)).toBe(true)
      expect(mark).toBe(`[cut: ${Buffer.byteLength(kept)} of ${Buffer.byteLength(text)} bytes]`)
    },
  )

  test("a body that fits exactly is not truncated", () => {
    expect(toText(body("é".repeat(32)), "text/plain", 64)).toBe("é".repeat(32))
  })

  const SECRET = "ABSK+canary/of=the+vault=="
  const escaped = (text: string, upper: boolean) =>
    text.replace(/[+=]/g, (each) => {
      const code = each.charCodeAt(0).toString(16)
      return `\\u00${upper ? code.toUpperCase() : code}`
    })
  const ECHOES = {
    plain: SECRET,
    "with escaped slashes": SECRET.replace("/", "\\/"),
    "with escaped signs": escaped(SECRET, false),
    "with escaped signs in capitals": escaped(SECRET, true),
    "in a URL": encodeURIComponent(SECRET),
    "in base64": Buffer.from(`key=${SECRET}!`).toString("base64"),
    "in base64 at another position": Buffer.from(`a key=${SECRET}`).toString("base64"),
    "in base64 at a third position": Buffer.from(SECRET).toString("base64"),
  }
  const CODINGS = { identity: (bytes: Buffer) => bytes, gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync }

  describe.each(Object.keys(CODINGS) as (keyof typeof CODINGS)[])("an answer in the coding %s", (coding) => {
    /** Returns the stored body of a 200 answer that arrived in pieces of 10 bytes. */
    async function store(text: string) {
      const { options } = makeOptions({ storage: "postgres" })
      const capture = (await openBodyStore(options)).open(makeCall(), CALLER)!
      const bytes = CODINGS[coding](Buffer.from(text))
      for (let at = 0; at < bytes.length; at += 10) capture.push(bytes.subarray(at, at + 10))
      const encoded = coding === "identity" ? [] : ["Content-Encoding", coding]
      return capture.finish(answerHead("application/json", encoded, [SECRET])).response_body!
    }

    test.each(Object.entries(ECHOES))(
      "is stored without the gateway's own credential, which it has %s",
      async (_, echo) => {
        const stored = await store(`{"echo":"${echo}"}`)
        expect(stored).toContain("[removed]")
        expect(stored).toContain('{"echo":"')
        expect(stored).not.toContain(echo.slice(4, -6))
      },
    )

    test("is stored byte for byte without it", async () => {
      expect(await store('{"echo":"ABSK+canary"}')).toBe('{"echo":"ABSK+canary"}')
    })
  })

  test("an answer that is truncated within the gateway's own credential ends before it", async () => {
    const { options } = makeOptions({ storage: "postgres", maxBodyBytes: 30 })
    const capture = (await openBodyStore(options)).open(makeCall(), CALLER)!
    capture.push(Buffer.from(`{"echo":"${SECRET}"}`))
    expect(capture.finish(answerHead("application/json", [], [SECRET])).response_body).not.toContain("ABSK")
  })

  test("an answer in a coding that the gateway cannot decode is not stored with its own credential", async () => {
    const { options } = makeOptions({ storage: "postgres" })
    const capture = (await openBodyStore(options)).open(makeCall(), CALLER)!
    capture.push(Buffer.from("whatever"))
    const { response_body } = capture.finish(answerHead("application/json", ["Content-Encoding", "snappy"], [SECRET]))
    expect(response_body).toBe("[cut: 0 of 8 bytes]")
  })

  test("a binary body is a data URL of its type", () => {
    expect(toText(body(Buffer.from([255, 0])), "audio/mpeg", 64)).toBe("data:audio/mpeg;base64,/wA=")
  })
})
