import { describe, expect, test } from "vitest"
import { openBodyStore } from "../../src/bodies/index.ts"
import { toText } from "../../src/bodies/postgres.ts"
import { createBodyReader } from "../../src/bodies/read.ts"
import { bodyStoreContract } from "../contract/body-store.ts"
import { makeOptions } from "./_bodies.ts"

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

  test("a binary body is a data URL of its type", () => {
    expect(toText(body(Buffer.from([255, 0])), "audio/mpeg", 64)).toBe("data:audio/mpeg;base64,/wA=")
  })
})
