import { describe, expect, it } from "vitest"
import { findMembers, memberValue } from "../../src/kit/json/members.ts"

function values(text: string, names: readonly string[]) {
  const bytes = Buffer.from(text)
  const members = findMembers(bytes, names)
  return members && Object.fromEntries(names.map((name) => [name, memberValue(bytes, members.found[name])]))
}

describe("finding members without parsing", () => {
  it("finds those of the top level only, whatever their values and neighbours hold", () => {
    const text = '\uFEFF { "x" : {"a":1,"y":["}",{"b":2}]} , "a" : [1, "\\"],}" ] ,"s":"\\\\", "b":-1.5e3 , "c":null}'
    expect(values(text, ["a", "b", "c", "y"])).toEqual({ a: [1, '"],}'], b: -1500, c: null, y: undefined })
  })
  it("takes the last of a name that comes twice, and reads escaped names", () => {
    expect(values('{"a":1,"\\u0061":2}', ["a"])).toEqual({ a: 2 })
  })
  it("says where the object opens and closes, and when it is cut off", () => {
    const open = findMembers(Buffer.from('{"a":"x"'), ["a"])
    expect(open?.close).toBe(-1)
    expect(findMembers(Buffer.from(" { } "), [])).toMatchObject({ open: 2, close: 3, empty: true })
    expect(findMembers(Buffer.from("[1]"), ["a"])).toBeUndefined()
    expect(findMembers(Buffer.from(""), ["a"])).toBeUndefined()
  })
  it("agrees with JSON.parse on strings of every length around its two ways of searching", () => {
    for (let length = 0; length < 120; length++) {
      for (const tail of ["", "\\", '"', '\\"', "\\\\"]) {
        const x = "y".repeat(length) + tail
        expect(values(JSON.stringify({ x, a: length }), ["x", "a"])).toEqual({ x, a: length })
      }
    }
  })
  it("gives up after its budget instead of holding the loop", () => {
    expect(findMembers(Buffer.from(`{"x":${"[".repeat(1000)}`), ["x"], 100)?.close).toBe(-1)
  })
})
