import { expect, test } from "vitest"
import { QuotedName } from "../../src/kit/json/quoted-name.ts"

const USAGE = new QuotedName("usage")

test.each([
  ['{"usage":1}', 0, 1],
  ['"usage"', 0, 0],
  ['{"usage":1,"usage":2}', 2, 11],
  ['{"x_usage":1}', 0, -1],
  ['{"x_usage":1,"usage":2}', 0, 13],
  ['usage"', 0, -1],
  ['{"usages":1}', 0, -1],
  ["", 0, -1],
])("in %s from %i, the name stands at %i", (text, from, expected) => {
  expect(USAGE.indexOf(Buffer.from(text), from)).toBe(expected)
  if (from === 0) expect(USAGE.isIn(Buffer.from(text))).toBe(expected >= 0)
})

test("it is found exactly where a search for all of its bytes finds it", () => {
  const parts = ['"', "usage", '"usage"', "u", ":", "\\", '"usage', 'usage"']
  let seed = 7
  const next = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return seed
  }
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(Array.from({ length: 6 }, () => parts[next() % parts.length]).join(""))
    const from = next() % (bytes.length + 1)
    expect([from, USAGE.indexOf(bytes, from)]).toEqual([from, bytes.indexOf('"usage"', from)])
  }
})
