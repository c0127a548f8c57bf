import { describe, expect, test } from "vitest"
import { parseTarget } from "../../src/operations/copy.ts"
import { InputError } from "../../src/operations/input-error.ts"
import { parseName } from "../../src/operations/metadata/name.ts"
import {
  parseDimensions,
  parseFilters,
  parsePeriod,
  parseSort,
  parseZone,
} from "../../src/operations/usage/question.ts"

const NOW = Date.parse("2026-11-28T12:00:00Z")

describe("an input that is not valid names its field, for any caller", () => {
  const cases: readonly (readonly [field: string, parse: () => unknown])[] = [
    ["since", () => parsePeriod({ since: "soon", tz: "UTC" }, NOW)],
    ["until", () => parsePeriod({ since: "7d", until: "2026-13-01", tz: "UTC" }, NOW)],
    ["until", () => parsePeriod({ since: "today", until: "yesterday", tz: "UTC" }, NOW)],
    ["tz", () => parseZone("Mars/Base")],
    ["status", () => parseFilters({ status: "bad", where: [] })],
    ["where", () => parseFilters({ where: ["Feature"] })],
    ["by", () => parseDimensions("modle")],
    ["by", () => parseDimensions("model,model")],
    ["sort", () => parseSort("price", ["cost", "time"])],
    ["to", () => parseTarget("mysql://x")],
  ]
  test.each(cases)("%s", (field, parse) => {
    const error = catchError(parse)
    expect(error).toBeInstanceOf(InputError)
    expect(error).toMatchObject({ field, exitCode: 2, message: expect.stringMatching(new RegExp(`^${field}: `)) })
  })
})

test("a valid input becomes the values that an operation takes", () => {
  expect(parsePeriod({ since: "2026-11-01", until: "2026-11-27", tz: "UTC" }, NOW)).toEqual({
    since: Date.parse("2026-11-01T00:00:00Z"),
    until: Date.parse("2026-11-28T00:00:00Z"),
    tz: "UTC",
  })
  expect(parseFilters({ model: "gpt*", where: ["feature=a=b"] })).toMatchObject({
    model: "gpt*",
    where: { Feature: "a=b" },
  })
  expect(parseFilters({ where: [] }).where).toBeUndefined()
  expect(parseName({ name: "x-majordomo-user-id" })).toEqual({ name: "User-Id", key: undefined })
})

function catchError(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
