import { expect, test } from "vitest"
import { toIsoTime } from "../../src/core/time.ts"

test("a time is formatted as Date does it, within one second and across seconds, days, years and the epoch", () => {
  const start = Date.UTC(2026, 11, 31, 23, 59, 58, 990)
  const times = [
    ...Array.from({ length: 2020 }, (_, ms) => start + ms),
    0,
    7,
    999,
    1000,
    -1,
    -1000,
    -1500,
    253402300799999,
  ]
  for (const ms of times) expect(toIsoTime(ms)).toBe(new Date(ms).toISOString())
})

test("fractions of a millisecond are dropped, and a time that a Date cannot hold is a RangeError", () => {
  expect(toIsoTime(1.999)).toBe("1970-01-01T00:00:00.001Z")
  expect(() => toIsoTime(Number.NaN)).toThrow(RangeError)
  expect(() => toIsoTime(8.64e15 + 1000)).toThrow(RangeError)
})
