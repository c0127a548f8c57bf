import { describe, expect, test } from "vitest"
import { toName } from "../../src/database/key-input.ts"
import { toMetadataColumns } from "../../src/database/key-metadata.ts"
import { parseTarget } from "../../src/operations/copy.ts"
import { InputError } from "../../src/operations/input-error.ts"
import { parseLimitInput } from "../../src/operations/limits/input.ts"
import { parseName } from "../../src/operations/metadata/name.ts"
import { setPrice } from "../../src/operations/prices/set.ts"
import { createToken } from "../../src/operations/tokens/create.ts"
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

describe("a name that does not look like what it is is rejected, and the message names the character", () => {
  const limit = { measure: "cost", amount: "5", window: "day" }
  const token = { role: "viewer", expiresInMs: undefined } as const
  const names: readonly (readonly [noun: string, use: (name: string) => unknown])[] = [
    ["an API key", toName],
    ["an admin token", (name) => createToken({} as never, { ...token, name })],
    ["the model of a price", (model) => setPrice({} as never, { model } as never)],
    ["a limit", (name) => parseLimitInput({ ...limit, name })],
    ["default metadata", (value) => toMetadataColumns({ default_metadata: { Team: value } })],
    ["locked metadata", (value) => toMetadataColumns({ locked_metadata: { Team: value } })],
  ]
  const hidden = [
    ["U+202E", "evil\u202egnp.exe"],
    ["U+000A", "two\nlines"],
    ["U+001B", "\u001b[31mred"],
    ["U+0000", "nul\0"],
    ["U+2028", "two\u2028lines"],
    ["U+200B", "zero\u200bwidth"],
    ["U+2066", "\u2066isolated"],
    ["U+FEFF", "\ufeffmark"],
  ] as const
  test.each(names)("%s", async (_noun, use) => {
    for (const [character, name] of hidden) {
      const message = await Promise.resolve(name)
        .then(use)
        .then(
          () => "accepted",
          (error: Error) => error.message,
        )
      expect(message, character).toContain(`the invisible character ${character}`)
    }
  })

  test.each(["Söhne & Co", "東京", "ירושלים", "می‌خواهم", "👩‍💻 dev"])("%s is a name", (name) => {
    expect(toName(name)).toBe(name)
    expect(parseLimitInput({ ...limit, name }).name).toBe(name)
  })
})

function catchError(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
