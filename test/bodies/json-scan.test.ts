import { describe, expect, test } from "vitest"
import { createJsonPaths, parseJsonPath } from "../../src/kit/json/paths.ts"
import { scanJson } from "../../src/kit/json/scan.ts"

function find(text: string, ...paths: string[]): string[] | undefined {
  const bytes = Buffer.from(text)
  return scanJson(bytes, createJsonPaths(paths.map(parseJsonPath)))?.map(({ start, end }) =>
    bytes.toString("utf8", start, end),
  )
}

describe("scanning a JSON text", () => {
  const DOCUMENT = '{"a":{"b":[1,{"c":"x"},[2]]},"c d":"y","é":null,"c":{"c":3}}'
  test.each([
    ["$.a.b[0]", ["1"]],
    ["$.a.b[*]", ["1", '{"c":"x"}', "[2]"]],
    ["$..c", ['"x"', '{"c":3}']],
    ['$["c d"]', ['"y"']],
    ["$['c d']", ['"y"']],
    ["$.é", ["null"]],
    ["$.*", ['{"b":[1,{"c":"x"},[2]]}', '"y"', "null", '{"c":3}']],
    ["$..b[1].c", ['"x"']],
    ["$.a..[0]", ["1", "2"]],
    ["$.nothing", []],
  ])("%s finds its values", (path, expected) => {
    expect(find(DOCUMENT, path)).toEqual(expected)
  })

  test("names that contain escapes are found", () => {
    expect(find('{"api\\u005fkey":1}', "$.api_key")).toEqual(["1"])
  })

  test.each(["a", "$", "$.", "$[", "$[-1]", "$.a[b]", "$a"])("the path %s is rejected", (path) => {
    expect(() => parseJsonPath(path)).toThrow()
  })

  test("a text is valid if and only if JSON.parse accepts it", () => {
    const letters = [
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      '"a"',
      "0",
      "1",
      "-",
      ".",
      "e",
      "E",
      "+",
      "true",
      "null",
      "fals",
      " ",
      "\\",
      "u00e9",
      "\n",
      "é",
      "\u0001",
    ]
    let seed = 7
    const random = (n: number) => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed % n
    }
    const base = [
      '{"a":[1,-2.5e+3,"x\\n",{"b":null}]}',
      "[0,01]",
      '"\\ud800"',
      "-0.0",
      "1e5",
      "[]",
      "{}",
      " [ 1 , 2 ] ",
    ]
    let valid = 0
    for (let i = 0; i < 60_000; i++) {
      let text = base[random(base.length)]!
      for (let n = random(4); n > 0; n--) {
        const at = random(text.length + 1)
        text = text.slice(0, at) + (random(3) ? letters[random(letters.length)] : "") + text.slice(at + random(2))
      }
      let parses = true
      try {
        JSON.parse(text)
      } catch {
        parses = false
      }
      if (parses) valid++
      expect([text, scanJson(Buffer.from(text)) !== undefined]).toEqual([text, parses])
    }
    expect(valid).toBeGreaterThan(5000)
  })

  test("depth costs no stack", () => {
    const depth = 1_000_000
    expect(scanJson(Buffer.from("[".repeat(depth) + "]".repeat(depth)))).toEqual([])
  })
})
