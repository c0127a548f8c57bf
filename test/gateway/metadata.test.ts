import { describe, expect, test } from "vitest"
import { NO_METADATA, readMetadata } from "../../src/gateway/metadata.ts"

const KEY = "mdm_sk_0123456789abcdefghijklmnop"
const LIMITS = { maxKeys: 4, maxValueLength: 64 }

describe("metadata", () => {
  test("keeps the request id that a client gives its request", () => {
    expect({ ...readMetadata(["X-Majordomo-Request-Id", "mine-1"], LIMITS) }).toEqual({ "Request-Id": "mine-1" })
  })

  test("keeps how often an SDK has sent the same request before", () => {
    expect({ ...readMetadata(["X-Stainless-Retry-Count", "2"], LIMITS) }).toEqual({ "Retry-Count": "2" })
  })

  test.each(["0", "many", "99999", ""])("does not keep the retry count %j", (count) => {
    expect(readMetadata(["x-stainless-retry-count", count, "x-stainless-lang", "js"], LIMITS)).toBe(NO_METADATA)
  })

  /** A header value as node gives it: its bytes, decoded as latin1. */
  const onWire = (value: string) => Buffer.from(value).toString("latin1")
  const read = (value: string) => readMetadata(["X-Majordomo-Team", value], LIMITS)["Team"]

  test.each(["Zürich", "a\ufffdb ü", "\ufffd", "東京 🎉"])(
    "keeps the UTF-8 text %j, whatever characters it has",
    (text) => {
      expect(read(onWire(text))).toBe(text)
    },
  )

  test("reads a UTF-8 text that its client truncated within a character as UTF-8", () => {
    const bytes = Buffer.from("Zürich, 東京")
    expect(read(bytes.subarray(0, -1).toString("latin1"))).toBe("Zürich, 東\ufffd")
    expect(read(bytes.subarray(0, -2).toString("latin1"))).toBe("Zürich, 東\ufffd")
  })

  test.each(["caf\xe9", "\xe9t\xe9", "na\xefve", "\xdcber", "\xc3"])(
    "reads %j as latin1, which is no UTF-8",
    (text) => {
      expect(read(text)).toBe(text)
    },
  )

  test.each([KEY, `Bearer ${KEY}`, KEY.replaceAll("_", "%5f"), `Basic ${Buffer.from(`u:${KEY}`).toString("base64")}`])(
    "never stores a gateway key that a client sent under a wrong name: %s",
    (value) => {
      expect(readMetadata(["X-Majordomo-Api-Key", value], LIMITS)).toEqual({ "Api-Key": "***" })
    },
  )

  test("truncates a value between characters", () => {
    expect(read(onWire(`${"x".repeat(63)}🎉`))).toBe("x".repeat(63))
  })
})
