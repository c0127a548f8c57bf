import { describe, expect, it } from "vitest"
import { containerEnd, END, JsonTokenizer, stringEnd } from "../../src/kit/json/tokenizer.ts"
import { createRandom, type Random } from "../providers/_random.ts"

type Splits = (left: number) => number

/** The tokens of a text that comes in pieces, each as its kind and its bytes. */
function tokensOf(bytes: Buffer, splits: Splits, takesValues = false): (readonly [number, string])[] {
  const tokens = new JsonTokenizer()
  const found: [number, string][] = []
  let part = ""
  for (let at = 0; at < bytes.length; ) {
    const end = at + splits(bytes.length - at)
    const piece = Buffer.from(bytes.subarray(at, end))
    tokens.feed(piece)
    for (let kind = tokens.next(); kind !== END; kind = tokens.next()) {
      if (takesValues && part === "") tokens.takeValue()
      part += piece.toString("latin1", tokens.start, tokens.end)
      if (tokens.isOpen) continue
      found.push([kind, part])
      part = ""
    }
    piece.fill(0)
    at = end
  }
  return part === "" ? found : [...found, [tokens.kind, part]]
}

const whole: Splits = (left) => left

function texts(text: string, takesValues = false): string[] {
  return tokensOf(Buffer.from(text), whole, takesValues).map(([, token]) => token)
}

function randomBytes(random: Random): Buffer {
  const words = [
    "\\",
    '"',
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    " ",
    "\n",
    "a",
    "12.5e3",
    "true",
    "é",
    '\\"',
    "\\\\",
    "\\u00e9",
  ]
  const parts = Array.from({ length: random.below(60) }, () => random.one(words).repeat(1 + random.below(3)))
  if (random.below(3) === 0) parts.splice(random.below(parts.length + 1), 0, `"${"x".repeat(random.below(100))}`)
  return Buffer.from(parts.join(""))
}

describe("the JSON tokenizer", () => {
  it("returns brackets, colons, commas, strings and scalars, without the white space between them", () => {
    expect(texts(' {"a" : [1,-2.5e3 , true],"b\\"]":null}\n')).toEqual([
      "{",
      '"a"',
      ":",
      "[",
      "1",
      ",",
      "-2.5e3",
      ",",
      "true",
      "]",
      ",",
      '"b\\"]"',
      ":",
      "null",
      "}",
    ])
  })

  it("takes a whole array or object as one token when it is asked to", () => {
    expect(texts('{"a":[1,"]"]} [{}] "x" 1', true)).toEqual(['{"a":[1,"]"]}', "[{}]", '"x"', "1"])
  })

  it("returns the same tokens for any bytes, wherever they are cut", () => {
    const random = createRandom(20_261_128)
    for (let n = 0; n < 3000; n++) {
      const bytes = randomBytes(random)
      const most = random.one([1, 2, 7, 40])
      for (const takesValues of [false, true]) {
        const cut = tokensOf(bytes, (left) => Math.min(left, 1 + random.below(most)), takesValues)
        expect(cut, JSON.stringify(bytes.toString())).toEqual(tokensOf(bytes, whole, takesValues))
      }
    }
  })

  it("finds the end of every value that JSON.stringify writes", () => {
    for (let length = 0; length < 120; length++) {
      for (const tail of ["", "\\", '"', '\\"', "\\\\", '"'.repeat(20), `${'"'.repeat(3)}${"y".repeat(30)}`]) {
        const text = JSON.stringify("y".repeat(length) + tail)
        expect(stringEnd(Buffer.from(`${text} "`), 0)).toBe(text.length)
        expect(stringEnd(Buffer.from(text.slice(0, -1)), 0)).toBeLessThan(0)
        const object = JSON.stringify({ a: [text, { b: "y".repeat(length) + tail }] })
        expect(containerEnd(Buffer.from(`${object}}`), 1)).toBe(object.length)
      }
    }
  })

  it("takes time in proportion to the length for backslashes, escaped quotes and brackets, whole or byte by byte", () => {
    const count = 300_000
    for (const text of [
      `"${"\\\\".repeat(count)}"`,
      `"${'\\"'.repeat(count)}"`,
      "[".repeat(count) + "]".repeat(count),
    ]) {
      const bytes = Buffer.from(text)
      for (const splits of [whole, () => 1]) {
        const start = process.cpuUsage()
        expect(tokensOf(bytes, splits, true)).toHaveLength(1)
        const { user, system } = process.cpuUsage(start)
        expect((user + system) / 1e6).toBeLessThan(5)
      }
    }
  })
})
