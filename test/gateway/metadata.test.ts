import { describe, expect, test } from "vitest"
import { NO_METADATA, readMetadata } from "../../src/gateway/metadata.ts"

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
})
