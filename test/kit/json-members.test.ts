import { describe, expect, it } from "vitest"
import { findMembers, MemberNames, memberValue } from "../../src/kit/json/members.ts"

function values(text: string, names: readonly string[]) {
  const bytes = Buffer.from(text)
  const members = findMembers(bytes, new MemberNames(names))
  return members && Object.fromEntries(names.map((name) => [name, memberValue(bytes, members.found[name])]))
}

describe("finding members without parsing", () => {
  it("finds members of the top level only, whatever the values of all members contain", () => {
    const text = '\uFEFF { "x" : {"a":1,"y":["}",{"b":2}]} , "a" : [1, "\\"],}" ] ,"s":"\\\\", "b":-1.5e3 , "c":null}'
    expect(values(text, ["a", "b", "c", "y"])).toEqual({ a: [1, '"],}'], b: -1500, c: null, y: undefined })
  })
  it("finds the last one of a name that occurs twice, and reads escaped names", () => {
    expect(values('{"a":1,"\\u0061":2}', ["a"])).toEqual({ a: 2 })
  })
  it("names what occurs twice, or also in another case", () => {
    const ambiguous = (text: string) => findMembers(Buffer.from(text), new MemberNames(["a_b", "c"]))?.ambiguous
    expect(ambiguous('{"a_b":1,"c":2,"x":{"a_b":1}}')).toBeUndefined()
    expect(ambiguous('{"a_b":1,"c":2,"a\\u005fb":3}')).toEqual(new Set(["a_b"]))
    expect(ambiguous('{"A_b":1,"\\u0043":2}')).toEqual(new Set(["a_b", "c"]))
  })
  it("returns where the object opens and closes, and whether it is cut off", () => {
    const open = findMembers(Buffer.from('{"a":"x"'), new MemberNames(["a"]))
    expect(open?.close).toBe(-1)
    expect(findMembers(Buffer.from(" { } "), new MemberNames([]))).toMatchObject({ open: 2, close: 3, empty: true })
    expect(findMembers(Buffer.from("[1]"), new MemberNames(["a"]))).toBeUndefined()
    expect(findMembers(Buffer.from(""), new MemberNames(["a"]))).toBeUndefined()
  })
  it("agrees with JSON.parse for strings of every length around its two ways of searching", () => {
    for (let length = 0; length < 120; length++) {
      for (const tail of ["", "\\", '"', '\\"', "\\\\"]) {
        const x = "y".repeat(length) + tail
        expect(values(JSON.stringify({ x, a: length }), ["x", "a"])).toEqual({ x, a: length })
      }
    }
  })
  it("gives up after its budget instead of blocking the event loop", () => {
    expect(findMembers(Buffer.from(`{"x":${"[".repeat(1000)}`), new MemberNames(["x"]), 100)?.close).toBe(-1)
  })
})
